"""The numbers of a job's versions: how far they go, and who gets the next one.

Numbers are claimed one after the other, and a deleted version keeps its record, so there are no gaps.
Where a bucket would list thousands of versions request by request, it is enough to look for the end.
"""

import random
import time
from collections.abc import Callable

import msgspec

from orchestrator.jobs.pages import Pages
from orchestrator.jobs.record import JobRecord, job_prefix, number_of, version_prefix
from orchestrator.runtime.task import JOB
from orchestrator.store.base import AlreadyExistsError, Store, list_folders
from orchestrator.store.gather import gather
from orchestrator.store.records import claim

MANY = 1000  # versions; as many folders as a bucket lists by one request
# Distances at which versions are looked for behind a known one. The first are without gaps, so that a few
# versions that somebody removed from the bucket by hand do not hide those behind them.
STEPS = (*range(1, 17), *(16 << power for power in range(1, 11)))
LONGEST_PAUSE = 0.5  # seconds before the next try, after a lost race for a number


def last_number(store: Store, name: str, pages: Pages | None = None) -> int:
    """Return the highest number of a version that was ever claimed, 0 if there is none.

    Args:
        store: Where the job is.
        name: Of the job.
        pages: Its pages, where somebody has them already.
    """
    pages = pages or Pages(store, name)
    if pages.last > MANY:
        return _behind(store, name, pages.highest())
    return max(map(number_of, list_folders(store, job_prefix(name))), default=0)


def claim_number(store: Store, record: JobRecord, complete: Callable[[JobRecord], JobRecord]) -> JobRecord:
    """Give the record the next free number and write it; exactly one claimer gets each number, none is left out.

    Args:
        store: Where the job is.
        record: The record; its number is ignored.
        complete: Fills in what depends on the number.
    """
    number = last_number(store, record.name) + 1
    while True:
        candidate = complete(msgspec.structs.replace(record, number=number))
        try:
            claim(store, version_prefix(record.name, number) + JOB, candidate)
        except AlreadyExistsError:
            # Many who want the next number at once keep each other waiting: some look later.
            time.sleep(random.uniform(0, LONGEST_PAUSE))
            number = _behind(store, record.name, number) + 1
        else:
            return candidate


def _behind(store: Store, name: str, known: int) -> int:
    """Return the highest number that exists, given one that does."""

    def exists(number: int) -> bool:
        return store.head(version_prefix(name, number) + JOB) is not None

    while True:
        candidates = [known + step for step in STEPS]
        found = [number for number, there in zip(candidates, gather(exists, candidates), strict=True) if there]
        if not found:
            return known
        known = max(found)
