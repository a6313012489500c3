"""Do the same to many files in a few threads, where one bad file must not stop the rest."""

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

import msgspec

from orchestrator.errors import MlctlError, PermissionDeniedError, StoreError
from orchestrator.store.base import CorruptObjectError

if TYPE_CHECKING:
    from concurrent.futures import Future

THREADS = 4  # a folder gains nothing beyond 2, packs in a bucket little beyond 4
MAX_FAILURES = 100  # after so many the cause is a common one
GRACE = 2.0  # seconds for the files in progress after Ctrl-C
SHOWN = 10  # lines of the final table

Item = TypeVar("Item")
Result = TypeVar("Result")


class Failure(msgspec.Struct, frozen=True):
    """A file that could not be dealt with, and why."""

    path: str
    error: MlctlError


class FileError(StoreError):
    """A file of the tree changed, vanished or cannot be handled."""


def for_each(
    items: Iterable[Item], work: Callable[[Item], None], *, name: Callable[[Item], str], threads: int = THREADS
) -> list[Failure]:
    """Call `work` for each item and return the failures, sorted by name.

    Items are taken one at a time, whenever a thread has time for one. Only errors that a user can cause count as
    failures; any other exception, and Ctrl-C, ends the work.
    """
    iterator = iter(items)
    lock = threading.Lock()
    failures: list[Failure] = []
    fatal: list[BaseException] = []
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set() and len(failures) < MAX_FAILURES:
            item = None
            try:
                with lock:
                    item = next(iterator, None)
                if item is None:
                    return
                work(item)
            except BaseException as error:  # noqa: BLE001  (what is no failure is raised anew in the caller's thread)
                if item is not None and isinstance(error, MlctlError | OSError):
                    failures.append(failure_of(name(item), error))
                else:
                    fatal.append(error)
                    stop.set()

    workers = [threading.Thread(target=loop, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    except BaseException:  # Ctrl-C: let small files finish, and do not wait for large ones
        stop.set()
        deadline = time.monotonic() + GRACE
        for worker in workers:
            worker.join(max(0, deadline - time.monotonic()))
        raise
    if fatal:
        raise fatal[0]
    return sorted(failures, key=lambda failure: failure.path)


def ahead(work: Callable[[], Result]) -> Callable[[], Result]:
    """Begin work in a thread, and return what waits for its result, or raises what it raised."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  (raised anew where the result is asked for)
            errors.append(error)

    def result() -> Result:
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return result


def in_order(items: Iterable[Item], work: Callable[[Item], Result], *, threads: int, ahead: int) -> Iterator[Result]:
    """Yield what `work` returns for each item, in the items' order; at most `ahead` are under way or waiting."""
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(threads)
    window: deque[Future[Result]] = deque()
    try:
        for item in items:
            window.append(pool.submit(work, item))
            if len(window) >= ahead:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def failure_of(path: str, error: MlctlError | OSError) -> Failure:
    """Return what a table of failures says of a file."""
    return Failure(path, as_mlctl_error(error) if isinstance(error, OSError) else error)


def raise_failures(failures: list[Failure], what: str) -> None:
    """Raise one error with a table of the failures, if there are any.

    Args:
        failures: From `for_each`.
        what: What was tried, as in `pushing mnist V0001`.

    Raises:
        CorruptObjectError: An object is damaged.
        PermissionDeniedError: Access was refused to all of them.
        StoreError: Anything else.
    """
    if not failures:
        return
    kinds = {type(failure.error) for failure in failures}
    kind: type[MlctlError] = StoreError
    if any(issubclass(one, CorruptObjectError) for one in kinds):
        kind = CorruptObjectError
    elif len(kinds) == 1:
        kind = kinds.pop()
    rows = [f"  {failure.path}: {failure.error.message}" for failure in failures[:SHOWN]]
    if len(failures) > SHOWN:
        rows.append(f"  and {'at least ' * (len(failures) >= MAX_FAILURES)}{len(failures) - SHOWN} more")
    hint = next((failure.error.hint for failure in failures if failure.error.hint), "run the same command again")
    count = "1 file" if len(failures) == 1 else f"{len(failures)} files"
    raise kind(f"{what}: {count} failed\n" + "\n".join(rows), hint=hint)


def as_mlctl_error(error: OSError, what: str = "") -> MlctlError:
    """Return an error of the file system as one that a user can act on.

    Args:
        error: What the system said.
        what: What was tried, as in `cannot write /some/file`; empty where a table names the file.
    """
    reason = ": ".join(filter(None, (what, error.strerror or type(error).__name__)))
    if isinstance(error, FileNotFoundError) and not what:
        return FileError("it vanished meanwhile", hint="run the same command again when nothing changes the folder")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PermissionDeniedError(reason, hint="check owner and mode, or choose another folder")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FileError(reason, hint="free some space and run the same command again: it goes on where it stopped")
    return FileError(reason)
