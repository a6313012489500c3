"""What the versions of all jobs have used."""

from collections import defaultdict
from functools import partial

from orchestrator.jobs.listing import read_versions
from orchestrator.jobs.record import JobRecord, job_names
from orchestrator.store.base import Store
from orchestrator.store.gather import gather


def job_records(store: Store) -> list[JobRecord]:
    """Return the records of all versions of all jobs that are not deleted."""
    found = gather(partial(read_versions, store), job_names(store))
    return [record for pairs in found for record, _ in pairs]


def readers(store: Store, dataset: str) -> dict[str, list[str]]:
    """Return the job versions, as in `mnist-mxnet/V0003`, that were given a dataset, by its version."""
    found: dict[str, list[str]] = defaultdict(list)
    for record in job_records(store):
        if record.data and record.data.name == dataset:
            found[record.data.version].append(f"{record.name}/{record.version}")
    return found
