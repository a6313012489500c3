"""Threads that move the parts of large objects, within a budget of memory."""

import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

PART = 16 << 20  # bytes; larger where a file would have too many
BUDGET = 64 << 20  # bytes of parts in flight, of all transfers of a store together

T = TypeVar("T")


class ByteBudget:
    """Bytes that may be in memory at once."""

    def __init__(self, total: int = BUDGET) -> None:
        self._total = total
        self._free = total
        self._changed = threading.Condition()

    def take(self, amount: int, *, wait: bool = True) -> bool:
        """Take an amount (one larger than the whole budget gets all of it); tell whether it was there.

        Args:
            amount: Bytes.
            wait: Whether to wait for it. A caller that itself holds some must not.
        """
        wanted = min(amount, self._total)
        with self._changed:
            while self._free < wanted:
                if not wait:
                    return False
                self._changed.wait()
            self._free -= wanted
            return True

    def give(self, amount: int) -> None:
        """Give an amount back."""
        with self._changed:
            self._free += min(amount, self._total)
            self._changed.notify_all()


class Workers:
    """A few threads, started when first needed, which do not keep the program alive."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Have a thread do the work, in the order of submission."""
        from concurrent.futures import Future

        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001  (raised anew where the result is asked for)
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            if self._started < self._number:
                self._started += 1
                threading.Thread(target=self._loop, daemon=True).start()
        self._queue.put(run)
        return future

    def _loop(self) -> None:
        while True:
            self._queue.get()()


def settle(futures: "list[Future[Any]]") -> None:
    """Call off what has not begun and wait for the rest, whatever becomes of it."""
    for future in futures:
        future.cancel()
    for future in futures:
        if not future.cancelled():
            future.exception()
