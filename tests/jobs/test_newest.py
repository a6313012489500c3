"""The latest versions of many jobs, by one listing of a bucket."""

import random

import pytest

from orchestrator.jobs import newest
from orchestrator.jobs.listing import newest as newest_of_one
from orchestrator.jobs.record import JobRecord, version_prefix
from orchestrator.runtime.status import State, Status
from orchestrator.runtime.task import JOB, STATUS
from orchestrator.store import open_store
from orchestrator.store.gather import gather
from orchestrator.store.records import write


@pytest.fixture
def store(bucket_url):
    """Give a bucket with jobs that have versions, logs, outputs, pages and what people put there."""
    store = open_store(bucket_url)
    chosen = random.Random(7)
    for number in range(24):
        name = f"job-{number}"
        for version in range(1, chosen.choice([2, 2, 3, 4])):
            prefix = version_prefix(name, version)
            write(store, prefix + JOB, JobRecord(name=name, number=version, deleted=float(chosen.random() < 0.2)))
            if chosen.random() < 0.7:
                write(store, prefix + STATUS, Status(state=State.RUNNING, message=f"{name}/{version}"))
            many = 60 if number % 10 == 3 else 2
            gather(lambda part, prefix=prefix: store.put(f"{prefix}output/{part}", b"x"), range(many))
            store.put(prefix + "logs/worker-0/000000000000.log", b"line\n")
        store.put(f"jobs/{name}/pages/0001.json", b"{}")
        store.put(f"jobs/{name}/notes.txt", b"mine")
    return store


def test_it_is_what_asking_one_by_one_tells(store, monkeypatch):
    one_by_one = [newest_of_one(store, name) for name in newest.job_names(store)]
    for page in (5, 47, 5000):
        monkeypatch.setattr(newest, "PAGE", page)
        monkeypatch.setattr(newest, "WORTH", 1 if page > 5 else 0)
        assert newest.newest_of_all(store) == [pair for pair in one_by_one if pair], page
    # A change is seen at once.
    for message in ("once", "twice"):
        write(store, "jobs/job-1/V0009/" + STATUS, Status(message=message))
        write(store, "jobs/job-1/V0009/" + JOB, JobRecord(name="job-1", number=9))
        found = {record.name: (record, status) for record, status in newest.newest_of_all(store)}
        assert found["job-1"][0].number == 9 and found["job-1"][1].message == message
    write(store, "jobs/job-1/V0009/" + JOB, JobRecord(name="job-1", number=9, deleted=1.0))
    found = {record.name: record.number for record, _ in newest.newest_of_all(store)}
    assert found.get("job-1") != 9
