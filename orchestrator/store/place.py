"""Write the files of a tree into a folder, never through a link."""

import os
import stat
import threading
from pathlib import Path

from orchestrator.store.index import hash_file
from orchestrator.store.manifest import Entry
from orchestrator.store.parallel import FileError
from orchestrator.store.paths import parents

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Target:
    """A folder that a tree is written into; safe to use from several threads.

    Its methods raise FileError where a link stands in the way, and OSError.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, bool] = {}  # whether it is new, by folder
        self._lock = threading.Lock()

    def make(self, folder: str) -> bool:
        """Make a folder, given relative to the target; return whether it is new, so that nothing is in it."""
        new = self._made.get(folder)
        if new is not None:
            return new
        with self._lock:
            if not self._made:
                new = not self._folder.exists()
                self._folder.mkdir(parents=True, exist_ok=True)
                self._made[""] = new
            for step in (*parents(folder), folder):
                if step not in self._made:
                    self._made[step] = self._make(self._folder / step)
            return self._made[folder]

    def path(self, entry: Entry) -> Path:
        """Return where an entry belongs, in a folder that exists from now on."""
        self.make(entry.path.rpartition("/")[0])
        return self._folder / entry.path

    def link(self, entry: Entry) -> None:
        """Make a symbolic link."""
        path = self.path(entry)
        if path.is_symlink():
            path.unlink()
        path.symlink_to(entry.target)

    def has(self, entry: Entry) -> bool:
        """Return whether a file is there with the right bytes; if so, give it the right time and mode."""
        if self.make(entry.path.rpartition("/")[0]):
            return False
        path = f"{self._folder}/{entry.path}"
        try:
            info = os.lstat(path)
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(info.st_mode) or info.st_size != entry.size or hash_file(Path(path)) != entry.sha256:
            return False
        if (info.st_mode & 0o7777, info.st_mtime_ns) != (_mode(entry), entry.mtime_ns):
            self.finish(entry)
        return True

    def write(self, entry: Entry, data: memoryview) -> None:
        """Write a small file. Killed half-way, it leaves a file that `has` does not take for the right one."""
        self.make(entry.path.rpartition("/")[0])
        path = f"{self._folder}/{entry.path}"
        mode = _mode(entry)
        try:
            descriptor = os.open(path, _NEW, mode)
        except FileExistsError:
            Path(path).unlink()
            descriptor = os.open(path, _NEW, mode)
        try:
            while len(data) > (written := os.write(descriptor, data)):
                data = data[written:]
            os.fchmod(descriptor, mode)
            os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
        except OSError:
            Path(path).unlink()
            raise
        finally:
            os.close(descriptor)

    def finish(self, entry: Entry) -> None:
        """Give a file that is there its time and mode."""
        path = self._folder / entry.path
        path.chmod(_mode(entry))
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))

    @staticmethod
    def _make(path: Path) -> bool:
        try:
            path.mkdir()
        except FileExistsError:
            if path.is_symlink():
                raise FileError(
                    f"{path} is a link, and nothing is written through links", hint="remove the link"
                ) from None
            if not path.is_dir():
                raise
            return False
        return True


def _mode(entry: Entry) -> int:
    return 0o755 if entry.executable else 0o644
