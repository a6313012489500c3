"""How many bytes moved, and how fast they may."""

import threading
import time
from collections.abc import Callable

from orchestrator.errors import UsageError
from orchestrator.store.base import OnBytes

SLOWEST = 64_000  # bytes per second; below that, servers take a transfer for dead
SMALLEST = 256 << 10  # bytes of a read at least


class Rate:
    """A limit that all transfers of one command keep together: a token bucket, as large as the block that waits.

    Args:
        limit: Bytes per second; None is no limit.

    Raises:
        UsageError: The limit is too low to work.
    """

    def __init__(self, limit: int | None = None) -> None:
        if limit is not None and limit < SLOWEST:
            raise UsageError(f"a bandwidth of {limit} bytes per second is too little", hint="for example: 10M")
        self._limit = limit
        self._free_at = 0.0
        self._lock = threading.Lock()

    def wait(self, amount: int) -> None:
        """Wait until these bytes may move."""
        if self._limit is None:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = free_at = max(self._free_at, now) + amount / self._limit
        time.sleep(free_at - now)

    def block(self, size: int) -> int:
        """Return how much to ask for at once, where `size` bytes would be best without a limit."""
        return size if self._limit is None else min(size, max(SMALLEST, self._limit // 4))


UNLIMITED = Rate()


class Meter:
    """Tells a bar what moved of one file or pack, and keeps to the rate; safe to call from several threads.

    Args:
        advance: Told of bytes; never of more than `total`, however often blocks are repeated.
        total: Bytes to tell of.
        rate: The limit.
        moved: Bytes that move, where they are not `total`.
    """

    def __init__(self, advance: Callable[[int], None], total: int, rate: Rate, *, moved: int | None = None) -> None:
        self._advance = advance
        self._total = total
        self._rate = rate
        self._moved = moved if moved is not None else total
        self._seen = 0
        self._told = 0
        self._lock = threading.Lock()

    def __call__(self, amount: int) -> None:
        """Wait until a block may move, and count it."""
        self._rate.wait(amount)
        with self._lock:
            self._seen = min(self._seen + amount, self._moved)
            self._tell(self._total * self._seen // max(self._moved, 1))

    def block(self, size: int) -> int:
        """Return how much to move at once, where `size` bytes would be best without a limit."""
        return self._rate.block(size)

    def finish(self) -> None:
        """Count what was not told of, as it need not move."""
        with self._lock:
            self._tell(self._total)

    def _tell(self, upto: int) -> None:
        if upto > self._told:
            self._advance(upto - self._told)
            self._told = upto


def block_of(on_bytes: OnBytes, size: int) -> int:
    """Return how much to move at once, where `size` bytes would be best: a meter may have a limit."""
    return on_bytes.block(size) if isinstance(on_bytes, Meter) else size
