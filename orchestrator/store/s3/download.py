"""Download an object of any size into a file: large ones in ranges, several at once, hashed in order.

A range is written while it comes, in blocks that stay in the processor's cache, and hashed as it stands in the file.
That takes half the processor's time of bringing it into memory, writing it and hashing it, and hardly any memory.
"""

import hashlib
from collections import deque
from concurrent.futures import Future
from functools import partial
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.store.base import OnBytes
from orchestrator.store.parallel import FileError
from orchestrator.store.rate import block_of
from orchestrator.store.s3.clients import Clients
from orchestrator.store.s3.faults import Fault
from orchestrator.store.s3.workers import ByteBudget, Workers

if TYPE_CHECKING:
    from obstore import Bytes
    from obstore.store import S3Store

RANGE = 8 << 20  # bytes asked for at once
BLOCK = 512 << 10  # bytes written or hashed at once


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
    budget.take(step)
    try:
        block, size, etag = clients.call("read", key, lambda store: first_range(store, key, step))
        on_bytes(len(block))
        path.write_bytes(block)
        digest = hashlib.sha256(block)
        del block
    finally:
        budget.give(step)
    if size <= step:
        return digest.hexdigest()
    bring = partial(_bring, clients, key, path, etag, on_bytes)
    pending: deque[Future[int]] = deque()
    offset = step
    with path.open("rb", buffering=0) as file:
        file.seek(step)
        try:
            while offset < size or pending:
                # While some of it is ours, waiting for more could be waiting for ourselves.
                while offset < size and budget.take(step, wait=not pending):
                    pending.append(workers.submit(partial(bring, offset, min(step, size - offset))))
                    offset += step
                _hash(file, pending[0].result(), digest)
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


def _bring(clients: Clients, key: str, path: Path, etag: str, on_bytes: OnBytes, offset: int, length: int) -> int:
    """Write one range to its place in the file and return its bytes."""
    on_bytes(length)
    # Opened anew: a descriptor that the caller has closed might by now be that of another file.
    with path.open("r+b", buffering=0) as file:
        clients.call("read", key, lambda store: _write_range(store, key, file, etag, offset, length))
    return length


def _write_range(store: "S3Store", key: str, file: FileIO, etag: str, offset: int, length: int) -> None:
    import obstore

    found = obstore.get(store, key, options={"range": (offset, offset + length)})
    if found.meta["e_tag"] != etag:
        raise ReplacedError
    file.seek(offset)
    for block in found.stream(min_chunk_size=BLOCK):
        rest = memoryview(block)
        while rest:
            rest = rest[file.write(rest) :]
    if file.tell() != offset + length:
        raise Fault("broken", text="the answer was cut")


def _hash(file: FileIO, length: int, digest: "hashlib._Hash") -> None:
    """Hash the next bytes of a file."""
    buffer = memoryview(bytearray(min(BLOCK, length)))
    while length:
        block = buffer[: min(BLOCK, length)]
        if not (read := file.readinto(block)):
            raise FileError("it was truncated while it was written")
        digest.update(block[:read])
        length -= read
