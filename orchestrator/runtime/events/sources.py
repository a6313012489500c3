"""Where the event files of a job version are: in the folder that its script writes to, or in the store."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from orchestrator.store.base import ObjectNotFoundError, Store, list_objects
from orchestrator.store.paths import check_path

LIST_EVERY = 10.0  # seconds: each listing of a bucket is a request that is billed
MARK = "tfevents"  # in the name of every event file, for TensorBoard as well


class Source(Protocol):
    """A place with files below train_url. What vanishes meanwhile has no bytes."""

    @property
    def place(self) -> str:
        """Return where that is, for people."""

    @property
    def pause(self) -> float:
        """Return the seconds between two looks that who pays for it does not mind."""

    def files(self) -> dict[str, int]:
        """Return the sizes of all files, in bytes, by their paths."""

    def read(self, path: str, start: int, length: int) -> bytes:
        """Return up to `length` bytes of a file, from `start` on."""


class FolderSource:
    """The folder that a running script writes to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.place = str(folder)
        self.pause = 0.0

    def files(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for folder, _, names in os.walk(self._folder):
            for path in (Path(folder, name) for name in names):
                with suppress(FileNotFoundError):
                    found[path.relative_to(self._folder).as_posix()] = path.stat().st_size
        return found

    def read(self, path: str, start: int, length: int) -> bytes:
        try:
            with (self._folder / path).open("rb") as file:
                file.seek(start)
                return file.read(length)
        except FileNotFoundError:
            return b""


class StoreSource:
    """Objects below a prefix."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self.place = f"{store.url}/{prefix}"
        self.pause = LIST_EVERY

    def files(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for item in list_objects(self._store, self._prefix):
            path = item.key.removeprefix(self._prefix)
            with suppress(ValueError):  # a key that would lead out of a folder
                check_path(path)
                found[path] = item.size
        return found

    def read(self, path: str, start: int, length: int) -> bytes:
        try:
            return self._store.get_range(self._prefix + path, start, length)
        except ObjectNotFoundError:
            return b""


def is_event_file(path: str) -> bool:
    """Tell whether TensorBoard would read the file."""
    return MARK in path.rpartition("/")[2]
