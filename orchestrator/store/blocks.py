"""Bytes on their way between files and a store, block by block, so that no size needs much memory."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.store.base import OnBytes

BLOCK = 1 << 20  # bytes read at once


def blocks_of(source: Path | bytes) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a file, or those given, in blocks. Raises OSError."""
    if isinstance(source, bytes):
        view = memoryview(source)
        yield from (view[start : start + BLOCK] for start in range(0, len(view), BLOCK))
        return
    with source.open("rb", buffering=0) as reader:
        while block := reader.read(BLOCK):
            yield block


def write_blocks(blocks: Iterable[bytes | memoryview], target: Path, on_bytes: OnBytes) -> str:
    """Write blocks to a file, telling of each before it is written; return their SHA-256. Raises OSError."""
    digest = hashlib.sha256()
    with target.open("wb", buffering=0) as writer:
        for block in blocks:
            on_bytes(len(block))
            digest.update(block)
            view = memoryview(block)
            while view:
                view = view[writer.write(view) :]
    return digest.hexdigest()
