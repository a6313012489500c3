"""Writes that happen once, or only to the state that was read, even where answers get lost.

A conditional PUT whose answer was lost has to be sent again, and is then refused because of itself. So every such
write bears its writer's id, in metadata, in front of the ids of the writers before it; whoever is refused looks at
the object and finds out whether it had won: with the latest state, or with one that others have gone on from.
"""

import hashlib
import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.errors import ConflictError
from orchestrator.store.base import AlreadyExistsError, ChangedError, ObjectNotFoundError
from orchestrator.store.s3.clients import Clients
from orchestrator.store.s3.faults import Fault, faults
from orchestrator.store.s3.retry import Attempts

if TYPE_CHECKING:
    from obstore import PutMode

    from orchestrator.store.s3.proof import Proof

WRITERS = "mlctl-writers"  # metadata: ids of the last writers, the latest first
SHA256 = "mlctl-sha256"  # metadata: of the object's bytes, in hex
REMEMBERED = 32  # writers; so many may come between an attempt and the look at what became of it
STATES = 1024  # of objects, whose writers are kept in memory


class _Present(NamedTuple):
    etag: str
    writers: list[str]


class ConditionalWriter:
    """Creates and replaces objects under a condition.

    Args:
        clients: Of the bucket.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._proof: Proof | None = None
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str], str] = OrderedDict()

    def seen(self, key: str, etag: str, writers: str) -> None:
        """Learn from an object's metadata who wrote the state with this ETag."""
        with self._lock:
            self._seen[key, etag] = writers
            if len(self._seen) > STATES:
                self._seen.popitem(last=False)

    def create(self, key: str, data: bytes) -> str:
        """Create an object and return its ETag.

        Raises:
            AlreadyExistsError: It exists.
            PermissionDeniedError, StoreError: The store refuses, fails, or ignores conditions.
        """
        return self._write(key, data, None)

    def replace(self, key: str, data: bytes, etag: str) -> str:
        """Replace the object that has this ETag and return the new one.

        If others have already replaced it again by the time this is known to have happened, the ETag that is
        returned is one that no object has, so that a further write with it fails as it must.

        Raises:
            ChangedError: It has another one, or is gone.
            PermissionDeniedError, StoreError: The store refuses, fails, or ignores conditions.
        """
        return self._write(key, data, etag)

    def _write(self, key: str, data: bytes, expected: str | None) -> str:
        import obstore

        writer = os.urandom(4).hex()
        writers = ",".join([writer, *self._writers_before(key, expected)][:REMEMBERED])
        attributes = {WRITERS: writers, SHA256: hashlib.sha256(data).hexdigest()}
        mode = self._mode(expected)
        attempts = Attempts()
        while True:
            try:
                with faults():
                    done = obstore.put(self._clients.bulk, key, data, mode=mode, attributes=attributes)
            except Fault as fault:
                if not _refused(fault, expected):
                    if not self._clients.try_again(fault, attempts):
                        raise self._clients.error(fault, "write", key) from fault
                    continue
                present = self._look(key)
                if present and writer in present.writers:
                    # Ours was written, and the answer lost.
                    etag = present.etag if present.writers[0] == writer else _etag_of(data)
                    break
                # A store may answer 409 while others are at it, without anyone having won.
                undecided = present is None if expected is None else present is not None and present.etag == expected
                if not (undecided and attempts.again(self._clients.patience)):
                    raise self._lost(key, expected) from fault
            else:
                self._clients.answered()
                etag = done["e_tag"] or ""
                break
        self.seen(key, etag, writers)
        return etag

    def _writers_before(self, key: str, expected: str | None) -> list[str]:
        with self._lock:
            known = self._seen.get((key, expected), "") if expected else ""
        return known.split(",") if known else []

    def _mode(self, expected: str | None) -> "PutMode":
        from orchestrator.store.s3.proof import proof_of

        with self._lock:
            if self._proof is None:
                self._proof = proof_of(self._clients)
            quoted = self._proof.quoted
        if expected is None:
            return "create"
        return {"e_tag": expected if quoted else expected.strip('"')}

    def _look(self, key: str) -> _Present | None:
        import obstore

        try:
            found = self._clients.call("read", key, lambda store: obstore.get(store, key, options={"head": True}))
        except ObjectNotFoundError:
            return None
        return _Present(found.meta["e_tag"] or "", found.attributes.get(WRITERS, "").split(","))

    def _lost(self, key: str, expected: str | None) -> ConflictError:
        address = self._clients.address
        name = key.removeprefix(address.prefix)
        if expected is None:
            return AlreadyExistsError(f"{name} exists already in {address.url}")
        return ChangedError(f"{name} was changed meanwhile in {address.url}")


def _refused(fault: Fault, expected: str | None) -> bool:
    """Tell whether the store says that the condition does not hold."""
    gone = expected is not None and fault.missing and fault.code != "NoSuchBucket"
    return fault.status in (409, 412) or gone


def _etag_of(data: bytes) -> str:
    """Return the ETag that most stores gave our bytes, and that is not that of the present object."""
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
