"""Versions that have ended, gathered in pages, so that a listing need not read two objects for each of them.

`jobs/<name>/pages/V0501.json.gz` speaks of the versions V0501 to V1000. The truth stays in job.json and
status.json, and pages are made on the way by whoever reads it: a page may be old, or lost, and what
it does not say is looked up. What it does say is true, because a version that has ended never changes, unless it
is deleted, and a deleter goes by these rules:

1. Before it marks the record, it makes the page say that the version is doubtful.
2. A page is replaced only in the state (ETag) in which it was read, and what is added to it was read after it.
3. What is doubtful becomes deleted when the record says so, and nothing else.

So at the moment when a record is marked no page calls its version finished, and none can any more.
"""

import gzip
import random
import time
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec

from orchestrator.decoders import decoder
from orchestrator.errors import MlctlError
from orchestrator.jobs.record import PAGES, JobRecord, job_prefix, number_of
from orchestrator.jobs.view import JobView
from orchestrator.runtime.status import Status
from orchestrator.specs.names import format_version
from orchestrator.store.base import (
    AlreadyExistsError,
    ChangedError,
    ObjectInfo,
    ObjectNotFoundError,
    Store,
    list_objects,
)
from orchestrator.store.cache import get_cached
from orchestrator.store.gather import gather

SPAN = 500  # versions of a page; about 50 KB
WORTH = 8  # versions that a page is rewritten for, unless it becomes complete
LONGEST_PAUSE = 0.5  # seconds before the next try, after a lost race for a page


class Page(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one page says.

    Attributes:
        finished: Versions that have ended.
        deleted: Numbers of deleted versions.
        doubtful: Numbers of versions that somebody has begun to delete: only the record tells.
        spent: What is left of deleted versions that have cost something.
    """

    finished: list[JobView] = []
    deleted: list[int] = []
    doubtful: list[int] = []
    spent: list[JobRecord] = []

    def settled(self) -> set[int]:
        """Return the numbers that need not be looked up."""
        return {view.record.number for view in self.finished}.union(self.deleted)

    def numbers(self) -> set[int]:
        """Return all numbers that it tells of."""
        return self.settled().union(self.doubtful)


class Held(NamedTuple):
    """A page as it was read; without an ETag where there is none."""

    page: Page
    etag: str | None


class Pages:
    """The pages of one job, as they are now.

    Attributes:
        last: The number that the last one begins with, 0 if there are none.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        prefix = job_prefix(name) + PAGES
        listed = {number_of(item.key[len(prefix) :].partition(".")[0]): item for item in list_objects(store, prefix)}
        self._infos = {number: item for number, item in listed.items() if number}
        self.last = max(self._infos, default=0)
        self._held: dict[int, Held] = {}

    def read(self, first: int) -> Held:
        """Return the page that begins with this number; one that is missing or damaged says nothing."""
        if first not in self._held:
            self._held[first] = _read(self._store, self._name, first, self._infos.get(first))
        return self._held[first]

    def highest(self) -> int:
        """Return the highest number that pages tell of, 0 if there are none."""
        return max([self.last, *self.read(self.last).page.numbers()]) if self.last else 0

    def add(self, first: int, held: Held, found: Mapping[int, tuple[JobRecord, Status | None]]) -> None:
        """Add to a page what was found out since it was read, if that is worth a request.

        Somebody else may do so first, and a reader may not be allowed to: then it stays as it is.
        """
        page = held.page
        doubtful, deleted = set(page.doubtful), list(page.deleted)
        finished, spent = list(page.finished), list(page.spent)
        for number in range(first, first + SPAN):
            record, status = found.get(number, (None, None))
            if record and record.deleted:
                deleted.append(number)
                spent += [record] if record.spent else []
            elif record and status and status.state.finished and number not in doubtful:
                finished.append(JobView(record, status))
        new = Page(finished=finished, deleted=deleted, doubtful=sorted(doubtful.difference(deleted)), spent=spent)
        settled = len(finished) + len(deleted)
        if settled - len(page.settled()) >= (1 if settled == SPAN else WORTH):
            with suppress(MlctlError):
                _write(self._store, _key(self._name, first), new, held.etag)


def first_of_page(number: int) -> int:
    """Return the first number of the page that a version belongs to."""
    return number - (number - 1) % SPAN


def doubt(store: Store, name: str, numbers: Iterable[int]) -> None:
    """Make the pages call these versions doubtful; must be done before their records are marked as deleted.

    Raises:
        PermissionDeniedError, StoreError: The store cannot be written.
    """
    by_page: dict[int, set[int]] = {}
    for number in numbers:
        by_page.setdefault(first_of_page(number), set()).add(number)
    gather(lambda first: _doubt(store, name, first, by_page[first]), sorted(by_page))


def _doubt(store: Store, name: str, first: int, numbers: set[int]) -> None:
    key = _key(name, first)
    while True:
        held = _read(store, name, first, store.head(key))
        page = held.page
        doubtful = numbers.union(page.doubtful).difference(page.deleted)
        new = Page(
            finished=[view for view in page.finished if view.record.number not in doubtful],
            deleted=page.deleted,
            doubtful=sorted(doubtful),
            spent=page.spent,
        )
        if new == page:
            return
        try:
            _write(store, key, new, held.etag)
        except (AlreadyExistsError, ChangedError):
            time.sleep(random.uniform(0, LONGEST_PAUSE))
        else:
            return


def _key(name: str, first: int) -> str:
    return f"{job_prefix(name)}{PAGES}{format_version(first)}.json.gz"


def _read(store: Store, name: str, first: int, info: ObjectInfo | None) -> Held:
    if info is None:
        return Held(Page(), None)
    try:
        found = get_cached(store, info)
    except ObjectNotFoundError:
        return Held(Page(), None)
    try:
        page = decoder(Page).decode(gzip.decompress(found.data))
    except (msgspec.DecodeError, UnicodeDecodeError, OSError, EOFError, zlib.error):
        return Held(Page(), found.etag)
    numbers = range(first, first + SPAN)
    if all(view.record.name == name and view.record.number in numbers for view in page.finished):
        return Held(page, found.etag)
    return Held(Page(), found.etag)


def _write(store: Store, key: str, page: Page, etag: str | None) -> None:
    data = gzip.compress(msgspec.json.encode(page), compresslevel=1, mtime=0)
    if etag is None:
        store.put_if_absent(key, data)
    else:
        store.put_if_unchanged(key, data, etag)
