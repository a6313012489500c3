"""Who looks after a sweep: one process at a time, wherever it runs.

`lease.json` names the holder, who writes it anew every few seconds. Whoever else wants it looks whether it changes,
by a clock of its own: clocks of several machines never meet. On the holder's own machine a lock tells at once.
"""

import hashlib
import os
import threading
import time
from pathlib import Path

import msgspec

from orchestrator.config import home_dir, machine_id
from orchestrator.errors import ConflictError, MlctlError
from orchestrator.locks import is_held
from orchestrator.progress import Reporter
from orchestrator.store.base import AlreadyExistsError, ChangedError, ObjectNotFoundError, Store
from orchestrator.store.records import decode, encode

LEASE = "lease.json"
BEAT = 3.0  # seconds between two writes
STALE = 20.0  # seconds without a write after which a lease is taken over
SAFE = 10.0  # seconds since the last write after which its holder begins nothing new
POLL = 0.5  # seconds between two looks at somebody else's


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a lease says.

    Attributes:
        holder: Id of who holds it; empty if nobody does.
        machine: Id of the home that the holder runs in.
        author: Who that is, as `user@host`.
        beat: Counts the writes.
        time: Of the last write, seconds since the epoch; for people only.
    """

    holder: str
    machine: str
    author: str
    beat: int = 0
    time: float = 0.0


class LeaseLostError(ConflictError):
    """Somebody else has taken the sweep over."""


class Lease:
    """The right to look after a sweep, kept up by a thread.

    Args:
        store: Where it is.
        prefix: Of the sweep.
        held: What it says.
        etag: Of that.
    """

    def __init__(self, store: Store, prefix: str, held: Held, etag: str) -> None:
        self._store = store
        self._key = prefix + LEASE
        self._held = held
        self._etag = etag
        self._written = time.monotonic()
        self._lost = False
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    @property
    def holder(self) -> str:
        """Return the id that was given to it."""
        return self._held.holder

    def keep_up(self) -> None:
        """Begin to write it anew every few seconds."""
        self._thread.start()

    def require(self) -> None:
        """Make sure that nobody else has it now.

        Raises:
            LeaseLostError: Somebody has.
            StoreError: The store cannot be asked.
        """
        if not self._lost and time.monotonic() - self._written > SAFE:
            self._renew()
        if self._lost:
            raise LeaseLostError("another process has taken this sweep over", hint="watch it: mlctl sweep get NAME")

    def release(self) -> None:
        """Give it back, if it is still held."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            if not self._lost:
                self._write(msgspec.structs.replace(self._held, holder=""))

    def _beat(self) -> None:
        while not self._lost and not self._over.wait(BEAT):
            try:
                self._renew()
            except MlctlError:  # the store is away: `require` finds out whether it matters
                continue

    def _renew(self) -> None:
        with self._lock:
            begun = time.monotonic()
            self._write(msgspec.structs.replace(self._held, beat=self._held.beat + 1, time=time.time()))
            self._written = begun

    def _write(self, held: Held) -> None:
        try:
            self._etag = self._store.put_if_unchanged(self._key, encode(held), self._etag)
            self._held = held
        except ChangedError:
            found = look(self._store, self._key)
            if found and found[0].holder == self._held.holder:  # our own write, whose answer was lost
                self._held, self._etag = found
            else:
                self._lost = True


def acquire(store: Store, prefix: str, name: str, *, author: str, reporter: Reporter) -> Lease:
    """Take the lease of a sweep; the caller holds the lock of this machine (`lock_path`).

    Args:
        store: Where the sweep is.
        prefix: Of the sweep.
        name: Of the sweep, for people.
        author: Who wants it.
        reporter: Told of a wait.

    Raises:
        ConflictError: Somebody else has it.
    """
    key = prefix + LEASE
    mine = Held(holder=os.urandom(8).hex(), machine=machine_id(), author=author, time=time.time())
    while True:
        found = look(store, key)
        try:
            if found is None:
                return Lease(store, prefix, mine, store.put_if_absent(key, encode(mine)))
            _require_stale(store, prefix, name, *found, reporter=reporter)
            return Lease(store, prefix, mine, store.put_if_unchanged(key, encode(mine), found[1]))
        except (AlreadyExistsError, ChangedError):
            time.sleep(POLL)


def adopt(store: Store, prefix: str, holder: str) -> Lease:
    """Go on with a lease that the process which started this one has taken.

    Raises:
        LeaseLostError: Somebody else has it by now.
    """
    found = look(store, prefix + LEASE)
    if found is None or found[0].holder != holder:
        raise LeaseLostError("another process has taken this sweep over")
    return Lease(store, prefix, *found)


def look(store: Store, key: str) -> tuple[Held, str] | None:
    """Return what a lease says and its ETag, or None if there never was one."""
    try:
        found = store.get(key)
    except ObjectNotFoundError:
        return None
    return decode(found.data, Held, key), found.etag


def is_looked_after(store: Store, prefix: str) -> bool:
    """Tell whether somebody seems to hold the lease: on another machine, as far as its clock and ours agree."""
    found = look(store, prefix + LEASE)
    if found is None or not found[0].holder:
        return False
    if found[0].machine == machine_id():
        return is_held(lock_path(store, prefix))
    return abs(time.time() - found[0].time) < 3 * STALE


def folder_of(store: Store, prefix: str) -> Path:
    """Return the folder of what a sweep keeps on this machine."""
    return home_dir() / "sweeps" / hashlib.sha256(f"{store.identity} {prefix}".encode()).hexdigest()[:16]


def lock_path(store: Store, prefix: str) -> Path:
    """Return the file that is locked while a process of this machine looks after a sweep."""
    return folder_of(store, prefix) / "lock"


def _require_stale(store: Store, prefix: str, name: str, held: Held, etag: str, *, reporter: Reporter) -> None:
    """Raise ConflictError unless the lease is free, or its holder is gone."""
    conflict = ConflictError(
        f"sweep {name} is looked after already, by {held.author}", hint=f"watch it: mlctl sweep get {name}"
    )
    if not held.holder:
        return
    if held.machine == machine_id():  # whose lock the caller has
        return
    reporter.note(f"{held.author} looked after this sweep: waiting up to {STALE:g} s for a sign of life")
    deadline = time.monotonic() + STALE
    while time.monotonic() < deadline:
        time.sleep(POLL)
        info = store.head(prefix + LEASE)
        if info is None or info.etag != etag:
            raise conflict
