"""Download an object of any size into a file: large ones in ranges, several at once, hashed in order."""

import hashlib
from collections import deque
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.store.base import OnBytes
from orchestrator.store.rate import block_of
from orchestrator.store.s3.clients import Clients
from orchestrator.store.s3.faults import Fault
from orchestrator.store.s3.workers import ByteBudget, Workers

if TYPE_CHECKING:
    from obstore import Bytes
    from obstore.store import S3Store

RANGE = 8 << 20  # bytes asked for at once


class ReplacedError(Exception):
    """The object was replaced while it was being read."""


def fetch(clients: Clients, workers: Workers, budget: ByteBudget, key: str, path: Path, on_bytes: OnBytes) -> str:
    """Write an object to a file, which is made or replaced, and return the SHA-256 (hex) of the bytes that came.

    Args:
        clients: Of the bucket.
        workers: Who fetches ranges.
        budget: Memory for ranges in flight.
        key: Whole key of the object.
        path: The file.
        on_bytes: Told of each range before it is written.

    Raises:
        ObjectNotFoundError: There is no such object.
        ReplacedError: It was replaced meanwhile.
        PermissionDeniedError, StoreError: The bucket refuses or fails.
        OSError: The file cannot be written.
    """
    step = block_of(on_bytes, RANGE)
    digest = hashlib.sha256()
    budget.take(step)
    try:
        block, size, etag = clients.call("read", key, lambda store: first_range(store, key, step))
        on_bytes(len(block))
        path.write_bytes(b"")
        _write(path, 0, block)
        digest.update(block)
        del block
    finally:
        budget.give(step)
    pending: deque[Future[Bytes]] = deque()
    offset = step
    try:
        while offset < size or pending:
            # While some of it is ours, waiting for more could be waiting for ourselves.
            while offset < size and budget.take(step, wait=not pending):
                pending.append(
                    workers.submit(
                        partial(_bring, clients, key, path, offset, min(step, size - offset), etag, on_bytes)
                    )
                )
                offset += step
            digest.update(pending[0].result())
            pending.popleft()
            budget.give(step)
    finally:
        for future in pending:
            future.cancel()
            budget.give(step)
    return digest.hexdigest()


def first_range(store: "S3Store", key: str, length: int) -> "tuple[Bytes, int, str]":
    """Return the first bytes of an object, its size and its ETag. Raises what obstore raises."""
    import obstore

    try:
        found = obstore.get(store, key, options={"range": (0, length)})
    except obstore.exceptions.GenericError as error:
        if "status code: 416" not in str(error):
            raise
        found = obstore.get(store, key)  # an empty object has no first byte
    return found.bytes(), found.meta["size"], found.meta["e_tag"] or ""


def _bring(clients: Clients, key: str, path: Path, offset: int, length: int, etag: str, on_bytes: OnBytes) -> "Bytes":
    """Write one range to its place in the file and return it."""
    on_bytes(length)
    block = clients.call("read", key, lambda store: _range(store, key, offset, length, etag))
    _write(path, offset, block)
    return block


def _range(store: "S3Store", key: str, offset: int, length: int, etag: str) -> "Bytes":
    import obstore

    found = obstore.get(store, key, options={"range": (offset, offset + length)})
    if found.meta["e_tag"] != etag:
        raise ReplacedError
    block = found.bytes()
    if len(block) != length:
        raise Fault("broken", text="the answer was cut")
    return block


def _write(path: Path, offset: int, block: "Bytes") -> None:
    # Opened anew: a descriptor that the main thread has closed might by now be that of another file.
    with path.open("r+b", buffering=0) as file:
        file.seek(offset)
        rest = memoryview(block)
        while rest:
            rest = rest[file.write(rest) :]
