"""Ask a store for many small things at once: what takes time is the way there and back."""

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

THREADS = 16  # requests under way together; a bucket answers no faster beyond

Item = TypeVar("Item")
Result = TypeVar("Result")

_thread = threading.local()


def gather(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return what `work` returns for each item, in their order; called from several threads.

    The first error ends it: what has not begun by then is left undone. A `work` that gathers in its turn does
    so one by one, so that there are never more threads than these.
    """
    todo = list(items)
    if len(todo) < 2 or hasattr(_thread, "gathers"):
        return [work(item) for item in todo]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(THREADS, len(todo)), initializer=lambda: setattr(_thread, "gathers", True)) as pool:
        try:
            return list(pool.map(work, todo))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
