"""Download an object of any size into a file: large ones in ranges, several at once, hashed in order.

A range is written while it comes and hashed as it stands in the file, which takes hardly any memory, and half the
processor's time of bringing it into memory first. A broken one goes on where it broke.
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

FIRST = 8 << 20  # bytes asked for first: many objects are no larger
RANGE = 32 << 20  # bytes of each further request: servers, too, have less to do with few large ones
SHARE = 12 << 20  # bytes of the budget for each, so that five are under way: more only get into each other's way
BLOCK = 64 << 10  # bytes written or hashed at once: they stay in the processor's cache, and their memory is reused


class ReplacedError(Exception):
    """The object was replaced while it was being read."""


def fetch(clients: Clients, workers: Workers, budget: ByteBudget, key: str, path: Path, on_bytes: OnBytes) -> str:
    """Write an object to a file, which is made or replaced, and return the SHA-256 (hex) of the bytes that came.

    Args:
        clients: Of the bucket.
        workers: Who fetches ranges.
        budget: How many ranges may be in flight.
        key: Whole key of the object.
        path: The file.
        on_bytes: Told of each range before it is written.

    Raises:
        ObjectNotFoundError: There is no such object.
        ReplacedError: It was replaced meanwhile.
        PermissionDeniedError, StoreError: The bucket refuses or fails.
        OSError: The file cannot be written.
    """
    step = block_of(on_bytes, FIRST)
    budget.take(step)
    try:
        digest, size, etag = clients.call("read", key, lambda store: _write_first(store, key, path, step))
        on_bytes(min(step, size))
    finally:
        budget.give(step)
    if size <= step:
        return digest.hexdigest()
    bring = partial(_bring, clients, key, path, etag, on_bytes)
    pending: deque[Future[int]] = deque()
    offset, step = step, block_of(on_bytes, RANGE)
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        try:
            while offset < size or pending:
                # While some of it is ours, waiting for more could be waiting for ourselves.
                while offset < size and budget.take(SHARE, wait=not pending):
                    pending.append(workers.submit(partial(bring, offset, min(step, size - offset))))
                    offset += step
                _hash(file, pending[0].result(), digest)
                pending.popleft()
                budget.give(SHARE)
        finally:
            for future in pending:
                future.cancel()
                budget.give(SHARE)
    return digest.hexdigest()


def _write_first(store: "S3Store", key: str, path: Path, length: int) -> "tuple[hashlib._Hash, int, str]":
    """Begin the file with the first bytes of an object; return their hash, the object's size and its ETag."""
    import obstore

    try:
        found = obstore.get(store, key, options={"range": (0, length)})
    except obstore.exceptions.GenericError as error:
        if "status code: 416" not in str(error):
            raise
        found = obstore.get(store, key)  # an empty object has no first byte
    size, digest = found.meta["size"], hashlib.sha256()
    with path.open("wb", buffering=0) as file:
        for block in found.stream(min_chunk_size=BLOCK):
            digest.update(block)
            _write(file, block)
        if file.tell() != min(length, size):
            raise Fault("broken", text="the answer was cut")
    return digest, size, found.meta["e_tag"] or ""


def _bring(clients: Clients, key: str, path: Path, etag: str, on_bytes: OnBytes, offset: int, length: int) -> int:
    """Write one range to its place in the file and return its bytes."""
    on_bytes(length)
    # Opened anew: a descriptor that the caller has closed might by now be that of another file.
    with path.open("r+b", buffering=0) as file:
        file.seek(offset)
        clients.call("read", key, lambda store: _write_range(store, key, file, etag, offset + length))
    return length


def _write_range(store: "S3Store", key: str, file: FileIO, etag: str, end: int) -> None:
    """Write what is missing of a range: an earlier attempt may have brought some of it."""
    import obstore

    start = file.tell()
    if start < end:
        found = obstore.get(store, key, options={"range": (start, end)})
        if found.meta["e_tag"] != etag:
            raise ReplacedError
        for block in found.stream(min_chunk_size=BLOCK):
            _write(file, block)
    if file.tell() != end:
        raise Fault("broken", text="the answer was cut")


def _write(file: FileIO, block: "Bytes | bytes") -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) :]


def _hash(file: FileIO, length: int, digest: "hashlib._Hash") -> None:
    """Hash the next bytes of a file."""
    buffer = memoryview(bytearray(min(BLOCK, length)))
    while length:
        block = buffer[: min(BLOCK, length)]
        if not (read := file.readinto(block)):
            raise FileError("it was truncated while it was written")
        digest.update(block[:read])
        length -= read
