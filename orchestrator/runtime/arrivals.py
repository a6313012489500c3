"""When which bytes of a growing file came, known also while nobody can be told."""

import threading
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path

MOST = 100_000  # notes; beyond, every second one is dropped, and its bytes count as come with those before


class Arrivals:
    """Notes about one file; its owner takes them, others may read the file much later.

    Args:
        path: Of the file, which need not exist yet.
        clock: The time, in seconds since the epoch.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._notes: list[tuple[int, float]] = []
        self._size = 0

    def note(self) -> int:
        """Note that what is in the file by now has come, and return its size."""
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return 0
        with self._lock:
            if size > self._size:
                self._notes.append((self._size, self._clock()))
                self._size = size
                if len(self._notes) > MOST:
                    del self._notes[1::2]
            return self._size

    def lines(self, start: int, end: int) -> bytes:
        """Return lines of `<offset> <seconds since the epoch>` for these bytes; a note holds until the next one."""
        with self._lock:
            first = max(0, bisect_right(self._notes, start, key=_offset) - 1)
            behind = bisect_right(self._notes, end - 1, key=_offset)
            found = self._notes[first:behind]
        return "".join(f"{max(offset, start)} {moment:.3f}\n" for offset, moment in found).encode()

    def forget(self, start: int) -> None:
        """Drop the notes that are only about bytes before `start`."""
        with self._lock:
            del self._notes[: max(0, bisect_right(self._notes, start, key=_offset) - 1)]


def _offset(note: tuple[int, float]) -> int:
    return note[0]
