"""Read many small files, each in a state that it was really in."""

import hashlib
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

from orchestrator.store.manifest import PACKED_LIMIT
from orchestrator.store.parallel import FileError, in_order
from orchestrator.store.scan import Found, found_at

RUN_FILES = 256  # read by one thread in a row
RUN_BYTES = 1 << 20
# A file that is in memory takes 15 µs, and several threads only hinder each other. A run that often waits, for a disk
# or a server, is read three times as fast by several, and faster yet over a network. What tells is that a thread gives
# up the processor by itself; wall time would be long on a busy machine, too.
WAITS = 0.25  # for each file
READERS = 8  # threads
AHEAD = 16  # runs
STABLE_ATTEMPTS = 3  # readings of a file that changes meanwhile
STABLE_PAUSE = 0.2  # seconds between them

_THREAD = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)  # macOS counts all threads together

Reading = TypeVar("Reading")
OnError: TypeAlias = Callable[[Found, OSError | FileError], None]


class Content(msgspec.Struct, frozen=True):
    """A file's bytes, and its state when they were read; `seen_ns` is the time before that."""

    found: Found
    data: bytes
    sha256: str
    seen_ns: int


def read_contents(folder: Path, files: Iterable[Found], on_error: OnError) -> Iterator[Content]:
    """Yield the contents of small files, in order.

    Args:
        folder: Where they are.
        files: As they were when scanned; what is yielded is as they are now.
        on_error: Told, from any thread, of each that cannot be read, vanished, or never rests.
    """

    root = str(folder)

    def read(run: list[Found]) -> list[Content]:
        contents = []
        for found in run:
            try:
                contents.append(at_rest(partial(_read, root, found.path)))
            except (OSError, FileError) as error:
                on_error(found, error)
        return contents

    runs = _runs(files)
    for run in runs:
        begun = _waits()
        contents = read(run)
        waits = _waits() - begun
        yield from contents
        if waits > WAITS * len(run):
            break
    yield from chain.from_iterable(in_order(runs, read, threads=READERS, ahead=AHEAD))


def at_rest(attempt: Callable[[], Reading | None]) -> Reading:
    """Return what `attempt` returns once it is not None, which means that a file changed while it was read.

    Raises:
        FileError: It changed each time.
    """
    for number in range(STABLE_ATTEMPTS):
        if number:
            time.sleep(STABLE_PAUSE * number)
        if (reading := attempt()) is not None:
            return reading
    raise FileError("it is being written to", hint="run the same command again when nothing changes the folder")


def _waits() -> int:
    """Return how often this thread has waited for something."""
    return resource.getrusage(_THREAD).ru_nvcsw


def _read(folder: str, path: str) -> Content | None:
    """Return a file's content, or None if it changed meanwhile."""
    seen_ns = time.time_ns()
    descriptor = os.open(f"{folder}/{path}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        before = os.fstat(descriptor)
        if before.st_size > PACKED_LIMIT:
            raise FileError("it has grown since the folder was scanned", hint="run the same command again")
        data = _read_all(descriptor, before.st_size)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if (before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (len(data), after.st_mtime_ns, after.st_ctime_ns):
        return None
    return Content(found_at(path, before), data, hashlib.sha256(data).hexdigest(), seen_ns)


def _read_all(descriptor: int, size: int) -> bytes:
    """Return at least `size` bytes, if the file has them."""
    data = os.read(descriptor, size + 1)
    while len(data) < size and (more := os.read(descriptor, size - len(data))):
        data += more  # a file system over a network may give less than was asked for
    return data


def _runs(files: Iterable[Found]) -> Iterator[list[Found]]:
    run: list[Found] = []
    size = 0
    for found in files:
        run.append(found)
        size += found.size
        if len(run) == RUN_FILES or size >= RUN_BYTES:
            yield run
            run, size = [], 0
    if run:
        yield run
