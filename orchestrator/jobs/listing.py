"""Find versions: one, the latest, or all of a job, with a number of requests that does not grow with them."""

from collections.abc import Iterator
from contextlib import suppress

from orchestrator.errors import MlctlError, NotFoundError
from orchestrator.jobs.numbers import last_number
from orchestrator.jobs.pages import SPAN, Pages, first_of_page
from orchestrator.jobs.record import JobRecord, find_record, job_names, version_prefix
from orchestrator.runtime.status import Status
from orchestrator.runtime.task import JOB, STATUS
from orchestrator.specs.names import format_version, nearest
from orchestrator.store.base import Store
from orchestrator.store.gather import gather
from orchestrator.store.records import find

Found = tuple[JobRecord, Status | None]
TRIES = 4  # versions that are looked at one by one for the latest, before the pages are asked
KEPT_UP = 50  # creating every so manieth version brings the pages up to date


def read_versions(store: Store, name: str) -> list[Found]:
    """Return record and status of all versions of a job that are not deleted, the latest first."""
    return [pair for pair in read_all(store, name) if not pair[0].deleted]


def read_all(store: Store, name: str) -> list[Found]:
    """Return what `read_versions` does, and the records of deleted versions that have cost something."""
    pages = Pages(store, name)
    last = last_number(store, name, pages)
    return [pair for pair in reversed(_read_pages(store, name, pages, last)) if pair[0].spent or not pair[0].deleted]


def read_version(store: Store, name: str, number: int) -> Found | None:
    """Return record (perhaps a deleted one's) and status of a version; None if its number was never claimed."""
    prefix = version_prefix(name, number)
    # The status first: one that is gone because the version was deleted meanwhile comes with a marked record.
    status = find(store, prefix + STATUS, Status)
    record = find(store, prefix + JOB, JobRecord)
    return (record, status) if record else None


def newest(store: Store, name: str) -> Found | None:
    """Return record and status of the latest version that is not deleted, or None if there is none."""
    last = last_number(store, name)
    for number in range(last, max(0, last - TRIES), -1):
        found = read_version(store, name, number)
        if found and not found[0].deleted:
            return found
    return next(iter(read_versions(store, name)), None)


def get_record(store: Store, name: str, number: int | None) -> JobRecord:
    """Return the record of a version; of the latest if `number` is None.

    Raises:
        NotFoundError: There is no such job or version.
    """
    if number is None:
        latest = newest(store, name)
        record = latest[0] if latest else None
    else:
        record = find_record(store, name, number)
    if record is None:
        raise _not_found(store, name, number)
    return record


def keep_pages_up(store: Store, record: JobRecord) -> None:
    """Do a creator's share of the pages, so that even the first listing of a large job is quick; never fails."""
    if record.number % KEPT_UP == 0:
        with suppress(MlctlError):
            pages = Pages(store, record.name)
            _read_pages(store, record.name, pages, record.number, since=first_of_page(record.number))


def _read_pages(store: Store, name: str, pages: Pages, last: int, *, since: int = 1) -> list[Found]:
    """Return the versions ever claimed from `since` (which begins a page) to `last`, by number; improve the pages."""
    firsts = range(since, last + 1, SPAN)
    held = dict(zip(firsts, gather(pages.read, firsts), strict=True))
    pairs: dict[int, Found] = {record.number: (record, None) for one in held.values() for record in one.page.spent}
    pairs |= {view.record.number: (view.record, view.status) for one in held.values() for view in one.page.finished}
    open_ = [number for first in firsts for number in _open(held[first].page.settled(), first, last)]
    found = {
        number: pair
        for number, pair in zip(open_, gather(lambda number: read_version(store, name, number), open_), strict=True)
        if pair
    }
    changed = {first_of_page(number) for number in found}
    gather(lambda first: pages.add(first, held[first], found), changed)
    everything = pairs | found
    return [everything[number] for number in sorted(everything)]


def _open(settled: set[int], first: int, last: int) -> Iterator[int]:
    return (number for number in range(first, min(first + SPAN, last + 1)) if number not in settled)


def _not_found(store: Store, name: str, number: int | None) -> NotFoundError:
    present = [record.number for record, _ in read_versions(store, name)]
    if present and number and (there := read_version(store, name, number)) and there[0].deleted:
        return NotFoundError(f"{name}/{format_version(number)} was deleted", hint=f"mlctl job list {name}")
    if present:
        known = format_version(present[-1]) + (f" to {format_version(present[0])}" if len(present) > 1 else "")
        message = f"job {name} has no version {format_version(number or 1)}; it has {known}"
        return NotFoundError(message, hint=f"mlctl job list {name}")
    if last_number(store, name):
        return NotFoundError(f"all versions of job {name} were deleted", hint="mlctl job list")
    near = nearest(name, job_names(store))
    message = f"there is no job {name!r}" + (f"; did you mean {near}?" if near else "")
    return NotFoundError(message, hint="mlctl job list")
