"""Which models are made of what a job has written, so that it is not deleted under them."""

from collections import defaultdict

from orchestrator.models.record import existing_versions, model_names
from orchestrator.store.base import Store
from orchestrator.store.gather import gather


def models_of(store: Store, job: str) -> dict[str, list[str]]:
    """Return the model versions, as `digits/V0003`, whose files are in a job's output, by the job's version."""
    found: dict[str, list[str]] = defaultdict(list)
    versions = gather(lambda name: list(existing_versions(store, name)), model_names(store))
    for version in (one for each in versions for one in each):
        name, _, number = version.lineage.job.partition("/")
        if name == job and version.source == f"job {version.lineage.job}":
            found[number].append(version.ref)
    return found
