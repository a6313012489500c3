"""Who may write which version: a number is claimed before the first file is sent."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from orchestrator.config import machine_id
from orchestrator.datasets.versions import CLAIM, RECORD, author, numbers_taken, version_prefix
from orchestrator.progress import Reporter
from orchestrator.store import records
from orchestrator.store.base import AlreadyExistsError, Store
from orchestrator.store.index import notes_path
from orchestrator.store.parallel import as_mlctl_error


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Who pushes a version.

    Attributes:
        machine: Id of the pusher's home: two machines may have the same name and folders.
        folder: Absolute.
        author: `user@host`, for people.
        created: Seconds since the epoch.
    """

    machine: str
    folder: str
    author: str
    created: float

    def same_pusher(self, other: "Claim | None") -> bool:
        """Return whether the other claim was made by the same home for the same folder."""
        return other is not None and (self.machine, self.folder) == (other.machine, other.folder)


@contextmanager
def only_pusher(store: Store, name: str, folder: Path, reporter: Reporter) -> Iterator[None]:
    """Keep other processes of this home from pushing the same folder to the same dataset; wait for one that does.

    Raises:
        PermissionDeniedError, StoreError: The home cannot be written.
    """
    path = notes_path(f"{store.identity}/{name}:{folder}", ".lock")
    try:
        file = path.open("ab")
    except OSError as error:
        raise as_mlctl_error(error, f"cannot write {path}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            reporter.note(f"another process is pushing {folder} to {name}: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def claim_number(store: Store, name: str, folder: Path, *, latest: int) -> int:
    """Return the number of the version that this pusher may write.

    It is the one that this pusher claimed before and never finished, unless a later version exists by
    now, else the next free one.

    Args:
        store: Where the dataset is.
        name: Of the dataset.
        folder: What is pushed, absolute.
        latest: The highest number that exists as a version, 0 if there is none.

    Raises:
        PermissionDeniedError, StoreError: The store cannot be written.
    """
    claim = Claim(machine=machine_id(), folder=os.fsdecode(folder), author=author(), created=time.time())
    taken = numbers_taken(store, name)
    for number in reversed(taken):
        key = version_prefix(name, number) + CLAIM
        if number > latest and claim.same_pusher(records.find(store, key, Claim)) and _is_open(store, name, number):
            records.write(store, key, claim)  # its date says that somebody goes on with it
            return number
    number = max(taken, default=0) + 1
    while True:
        key = version_prefix(name, number) + CLAIM
        try:
            records.claim(store, key, claim)
        except AlreadyExistsError:
            # A bucket may have taken our claim and lost the answer on the way.
            if not claim.same_pusher(records.find(store, key, Claim)):
                number += 1
                continue
        return number


def _is_open(store: Store, name: str, number: int) -> bool:
    """Tell whether a claimed number is neither a version nor given up by `mlctl store gc`."""
    return store.head(version_prefix(name, number) + RECORD) is None
