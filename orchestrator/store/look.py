"""A look at a data folder: what tells whether it has changed, first, and all that is in it only where it has."""

import hashlib
import os
import signal
import threading
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NoReturn, Self

import msgspec

from orchestrator.store.scan import Found, Scan, Skipped, scan_data


class Summary(msgspec.Struct, frozen=True):
    """A folder in short.

    Attributes:
        states: SHA-256 of names, sizes, times and inodes of all that is in it.
        skipped: What is left out.
        largest: The largest files.
    """

    states: str
    skipped: list[Skipped]
    largest: list[Found]


class Look:
    """A look at a folder, taken when it is first asked for. Raises as `scan_data`.

    Args:
        folder: Absolute.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Give up what is still being looked at."""

    @cached_property
    def scan(self) -> Scan:
        """All that is in it."""
        return scan_data(self.folder)

    @cached_property
    def summary(self) -> Summary:
        """It in short."""
        states = hashlib.sha256(msgspec.json.encode(self.scan.found)).hexdigest()
        return Summary(states, self.scan.skipped, self.scan.largest())


class LookAhead(Look):
    """A look taken by another process at once, while this one loads its clients, which takes as long.

    That process is a fork, so this one must have a single thread. If it dies, this one looks for itself.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        reader, writer = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(reader)
            _tell(folder, writer)
        os.close(writer)
        self._pipe: BinaryIO = os.fdopen(reader, "rb")

    @cached_property
    def scan(self) -> Scan:
        """All that is in it."""
        skipped = self.summary.skipped  # comes first
        with suppress(msgspec.DecodeError):
            return Scan(self.folder, msgspec.msgpack.decode(self._pipe.read(), type=list[Found]), skipped)
        return scan_data(self.folder)

    @cached_property
    def summary(self) -> Summary:
        """It in short."""
        with suppress(msgspec.DecodeError):
            return msgspec.json.decode(self._pipe.readline(), type=Summary)
        return Look(self.folder).summary

    def __exit__(self, *error: object) -> None:
        """End the other process, if it is still at it."""
        self._pipe.close()
        with suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)


def look_ahead(folder: Path) -> Look:
    """Return a look that is taken at once, where that can be done."""
    return LookAhead(folder) if threading.active_count() == 1 else Look(folder)


def _tell(folder: Path, writer: int) -> NoReturn:
    """Be the other process: tell the summary as a line of JSON, then all that was found as MessagePack."""
    try:
        look = Look(folder)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(msgspec.json.encode(look.summary) + b"\n")
            pipe.flush()
            pipe.write(msgspec.msgpack.encode(look.scan.found))
    finally:
        os._exit(0)  # without a word, whatever happened: the one that asked will see for itself
