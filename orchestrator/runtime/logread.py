"""Read a job's log, from the machine where it is written or from the store; the offsets are the same."""

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from orchestrator.errors import MlctlError
from orchestrator.runtime.logship import CHUNK, chunk_key, times_key
from orchestrator.store.base import ObjectNotFoundError, Store, list_objects

BLOCK = 1 << 18  # bytes read at once
PATIENCE = 3.0  # seconds that a question to the store may take while a log is followed: what is live waits meanwhile


class Live(Protocol):
    """A log where it is written, which may vanish at any time; what it does not have is in the store."""

    def size(self) -> int | None:
        """Return the number of bytes there are by now; None if the store must be asked."""

    def read(self, start: int, length: int) -> bytes | None:
        """Return up to `length` bytes from `start` on, as far as they are there; None if the store must be asked."""


class FileLog:
    """A log that a process of this machine writes into a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def size(self) -> int | None:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return None

    def read(self, start: int, length: int) -> bytes | None:
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                return file.read(length)
        except FileNotFoundError:
            return None


class LogReader:
    """One worker's log, as one run of bytes.

    Args:
        store: Where the chunks are.
        prefix: Of the chunks, as in `jobs/mnist/V0001/logs/worker-0/`.
        live: The log where it is written, if that is within reach.
    """

    def __init__(self, store: Store, prefix: str, live: Live | None) -> None:
        self._store = store
        self._prefix = prefix
        self._live = live
        self._full = (-1, b"")  # offset and bytes of the full chunk that was read last; it never changes

    def size(self) -> int:
        """Return the number of bytes there are by now."""
        if self._live and (size := self._live.size()) is not None:
            return size
        return self._saved()

    def final_size(self) -> int:
        """Return the number of bytes there are, once no more will come: what is live may lack the last of them."""
        size = self.size()
        try:
            return max(size, self._saved())
        except MlctlError:  # the store is away: what is live is all that is known
            return size

    def _saved(self) -> int:
        chunks = [item for item in list_objects(self._store, self._prefix) if item.key.endswith(".log")]
        return self._offset(chunks[-1].key, ".log") + chunks[-1].size if chunks else 0

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `end`, block by block; stops early where there are none yet."""
        position = start
        while position < end:
            block = self._block(position, min(BLOCK, end - position))
            if not block:
                return
            position += len(block)
            yield block

    def tail_offset(self, lines: int, end: int) -> int:
        """Return the offset at which the last `lines` lines before `end` begin."""
        if lines <= 0:
            return end
        position, missing = end, lines + 1
        while position > 0:
            start = max(0, position - BLOCK)
            block = b"".join(self.read(start, position))
            if position == end and not block.endswith(b"\n"):
                missing -= 1
            found = len(block)
            while (found := block.rfind(b"\n", 0, found)) >= 0:
                missing -= 1
                if missing == 0:
                    return start + found + 1
            position = start
        return 0

    def times(self) -> "ArrivalTimes":
        """Return when which bytes arrived, as far as the store knows."""
        offsets: list[int] = []
        moments: list[float] = []
        for item in list_objects(self._store, self._prefix):
            if item.key.endswith(".times"):
                for line in self._store.get(
                    times_key(self._prefix, self._offset(item.key, ".times"))
                ).data.splitlines():
                    offset, _, moment = line.partition(b" ")
                    offsets.append(int(offset))
                    moments.append(float(moment))
        return ArrivalTimes(offsets, moments)

    def _offset(self, key: str, suffix: str) -> int:
        return int(key.removeprefix(self._prefix).removesuffix(suffix))

    def _block(self, position: int, length: int) -> bytes:
        if self._live and (found := self._live.read(position, length)) is not None:
            return found
        # Every chunk but the last is full, so the chunk of a position needs no listing.
        start = position - position % CHUNK
        return self._chunk(start)[position - start :][:length]

    def _chunk(self, start: int) -> bytes:
        """Return the whole chunk that begins at `start`, which the store verifies; empty if there is none yet."""
        if self._full[0] == start:
            return self._full[1]
        try:
            data = self._store.get(chunk_key(self._prefix, start)).data
        except ObjectNotFoundError:
            return b""
        if len(data) == CHUNK:
            self._full = (start, data)
        return data


class ArrivalTimes:
    """Maps offsets to the time when the bytes there arrived, and back."""

    def __init__(self, offsets: list[int], moments: list[float]) -> None:
        self._offsets = offsets
        self._moments = moments

    def at(self, offset: int) -> float | None:
        """Return when the byte at `offset` arrived, in seconds since the epoch; None if that is not known."""
        index = bisect_right(self._offsets, offset) - 1
        return self._moments[index] if index >= 0 else None

    def next_after(self, offset: int) -> int | None:
        """Return the next offset behind this one at which bytes arrived later, as far as is known."""
        index = bisect_right(self._offsets, offset)
        return self._offsets[index] if index < len(self._offsets) else None

    def first_since(self, moment: float) -> int | None:
        """Return the offset of the first bytes that arrived at `moment` or later, or None if there are none."""
        for offset, arrived in zip(self._offsets, self._moments, strict=True):
            if arrived >= moment:
                return offset
        return None
