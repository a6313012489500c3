"""Does this bucket keep the promises that writes under a condition rest on? Proven once, then remembered.

Some servers answer 200 to `If-None-Match: *` and overwrite; some want the ETag of `If-Match` without its quotes. A
store that ignores conditions would give one version number to two jobs, so it is refused.
"""

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from orchestrator.config import home_dir
from orchestrator.errors import MlctlError, StoreError
from orchestrator.files import write_whole
from orchestrator.store.s3.address import INTERNAL
from orchestrator.store.s3.clients import Clients
from orchestrator.store.s3.faults import Fault, faults

if TYPE_CHECKING:
    from obstore import PutMode

VALID = 30 * 86_400.0  # seconds for which a proof is believed: servers are replaced and upgraded
RACERS = 4
_HINT = "use a store with conditional writes, as AWS S3, SeaweedFS, MinIO and Ceph have them; see: mlctl store check"


class Proof(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        service: The bucket.
        proven: When, in seconds since the epoch.
        quoted: Whether the store wants ETags in `If-Match` with their quotes.
    """

    service: str
    proven: float
    quoted: bool


def proof_of(clients: Clients) -> Proof:
    """Return the proof for a store, remembered or made now.

    Raises:
        PermissionDeniedError, StoreError: The store cannot be written, or ignores conditions.
    """
    path = _path(clients.address.service)
    with suppress(OSError, msgspec.DecodeError):
        known = msgspec.json.decode(path.read_bytes(), type=Proof)
        if known.service == clients.address.service and time.time() - known.proven < VALID:
            return known
    return prove_again(clients)


def prove_again(clients: Clients) -> Proof:
    """Return a proof made now, whatever is remembered; raises as `proof_of`."""
    path = _path(clients.address.service)
    path.unlink(missing_ok=True)
    proof = prove(clients)
    with suppress(OSError):  # then the next process proves it once more
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.encode(proof))
    return proof


def prove(clients: Clients) -> Proof:
    """Have a few writers race under the same condition and see that one wins, creating and replacing.

    Raises:
        PermissionDeniedError, StoreError: The store cannot be written, or ignores conditions.
    """
    key = f"{clients.address.prefix}{INTERNAL}probe-{os.urandom(8).hex()}"
    won = _race(clients, key, "create")  # where it fails, there is hardly anything to delete, and no time to lose
    try:
        if won > 1:
            raise _unsafe(clients, f"{won} of {RACERS} writers created the same object at once")
        # Twice, because an answer that gets lost looks like a refusal.
        for quoted in (True, False) * 2:
            etag = clients.call("read", key, lambda store: store.head(key))["e_tag"] or ""
            won = _race(clients, key, {"e_tag": etag if quoted else etag.strip('"')})
            if won > 1:
                raise _unsafe(clients, f"{won} of {RACERS} writers replaced the same state of an object")
            if won == 1:
                return Proof(clients.address.service, time.time(), quoted)
        raise _unsafe(clients, "it does not replace an object whose ETag is given")
    finally:
        with suppress(MlctlError):
            clients.call("delete", key, lambda store: store.delete(key))


def _race(clients: Clients, key: str, mode: "PutMode") -> int:
    """Return how many of the racers won; tries again where answers were lost, which proves nothing."""

    def run(number: int) -> bool:
        import obstore

        try:
            with faults():
                obstore.put(clients.bulk, key, f"racer {number} {os.urandom(8).hex()}".encode(), mode=mode)
        except Fault as fault:
            if fault.status in (409, 412):
                return False
            raise
        return True

    def once() -> int:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(RACERS) as racers:
            runs = [racers.submit(run, number) for number in range(RACERS)]
        lost = [error for future in runs if (error := future.exception())]
        won = sum(future.exception() is None and future.result() for future in runs)
        if lost and not won:
            raise lost[0]
        return won

    return clients.attempt("write", key, once)


def _unsafe(clients: Clients, what: str) -> StoreError:
    return StoreError(f"{clients.address.place} ignores conditional writes: {what}", hint=_HINT)


def _path(service: str) -> Path:
    return home_dir() / "stores" / (hashlib.sha256(service.encode()).hexdigest()[:24] + ".json")
