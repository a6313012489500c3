"""Look at a folder: which files belong to the code or the data in it, which do not, and why.

Code keeps symbolic links as links, and honours `.gitignore` (also those of the git work tree around
the folder) and `.mlctlignore`. Data honours `.mlctlignore` alone, and follows links, as `aws s3 cp`
does: a bucket has no links, and data folders are often made of links to one big disk. In an
output nothing is ignored.
"""

import heapq
import os
import stat
from operator import attrgetter
from pathlib import Path

import msgspec

from orchestrator.errors import NotFoundError, PermissionDeniedError, UsageError
from orchestrator.store.ignore import IgnoreFile, parse_rules
from orchestrator.store.manifest import Kind
from orchestrator.store.paths import check_link, parents

GIT_IGNORE = ".gitignore"
OUR_IGNORE = ".mlctlignore"
ALWAYS_IGNORED = frozenset(
    (
        ".git", ".hg", ".svn", "__pycache__", ".venv", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache",
        ".ruff_cache", ".DS_Store", OUR_IGNORE,
    )
)  # fmt: skip
LARGEST = 5  # files shown
EVERYBODY = 0o444  # may read it


class Found(msgspec.Struct, frozen=True, gc=False):
    """A file, link or empty folder as it was when scanned.

    Attributes:
        path: Relative to the scanned folder, with `/`.
        kind: What it is.
        size: Bytes.
        mtime_ns: Modification time.
        ctime_ns: Change time; a tool can set back the former, not this one.
        inode: Number of the inode.
        executable: Whether its owner may execute it.
        target: Of a link.
    """

    path: str
    kind: Kind
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    executable: bool = False
    target: str = ""


class Skipped(msgspec.Struct, frozen=True):
    """What was left out (a folder with all that is in it), and why."""

    path: str
    reason: str


class Scan(msgspec.Struct, frozen=True):
    """What a folder holds.

    Attributes:
        folder: The scanned one, absolute.
        found: Files, links and empty folders, sorted by path.
        skipped: The rest.
    """

    folder: Path
    found: list[Found]
    skipped: list[Skipped]

    @property
    def files(self) -> list[Found]:
        """The files alone."""
        return [found for found in self.found if found.kind == "file"]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(found.size for found in self.found)

    def largest(self, count: int = LARGEST) -> list[Found]:
        """Return the largest files, the largest first."""
        return heapq.nlargest(count, self.files, key=lambda found: found.size)


def scan_code(folder: Path, *, alone: bool = False) -> Scan:
    """Scan a code folder; `alone` without the rules of the work tree around it.

    Raises:
        NotFoundError: There is no such folder.
        UsageError: It is not a folder.
        PermissionDeniedError: It cannot be read.
    """
    folder = _checked(folder)
    walk = _Walk(folder, ignore_names=(GIT_IGNORE, OUR_IGNORE), always=ALWAYS_IGNORED, follow=False)
    return walk.run(() if alone else _outer_rules(folder))


def scan_data(folder: Path) -> Scan:
    """Scan a data folder. Raises as `scan_code`."""
    return _Walk(_checked(folder), ignore_names=(OUR_IGNORE,), always=ALWAYS_IGNORED, follow=True).run(())


def scan_all(folder: Path) -> Scan:
    """Scan a folder in which everything counts, such as a job's output; links are followed. Raises as `scan_code`."""
    return _Walk(_checked(folder), ignore_names=(), always=frozenset(), follow=True).run(())


def found_at(path: str, info: os.stat_result) -> Found:
    """Return the description of a regular file from its stat."""
    mode, size = info.st_mode, info.st_size
    return Found(path, "file", size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, bool(mode & stat.S_IXUSR))


def _is_plain(name: str, mode: int, ignored: frozenset[str]) -> bool:
    """Tell whether an entry is surely a file that everybody may read, with nothing to think about."""
    return (
        stat.S_IFMT(mode) == stat.S_IFREG and mode & EVERYBODY == EVERYBODY and name.isascii() and name not in ignored
    )


class _Walk:
    def __init__(self, folder: Path, *, ignore_names: tuple[str, ...], always: frozenset[str], follow: bool) -> None:
        self._folder = folder
        self._always = always
        self._ignore_names = ignore_names
        self._follow = follow
        self._found: list[Found] = []
        self._skipped: list[Skipped] = []

    def run(self, rules: tuple[IgnoreFile, ...]) -> Scan:
        root = self._folder.stat()
        # Folders still to visit: prefix of their paths, rules in force, identities of the folders above.
        todo = [("", rules, frozenset(((root.st_dev, root.st_ino),)))]
        while todo:
            prefix, rules, above = todo.pop()
            todo += self._visit(prefix, rules, above)
        self._found.sort(key=attrgetter("path"))
        self._skipped.sort(key=lambda skipped: skipped.path)
        return Scan(self._folder, self._found, self._skipped)

    def _visit(
        self, prefix: str, rules: tuple[IgnoreFile, ...], above: frozenset[tuple[int, int]]
    ) -> list[tuple[str, tuple[IgnoreFile, ...], frozenset[tuple[int, int]]]]:
        try:
            with os.scandir(self._folder / prefix) as iterator:
                entries = list(iterator)
        except OSError as error:
            self._skip(prefix.rstrip("/"), f"cannot be read: {error.strerror}")
            return []
        if not entries and prefix:
            self._found.append(Found(prefix[:-1], "folder"))
        names = {entry.name for entry in entries if entry.name in self._ignore_names and entry.is_file()}
        for name in self._ignore_names:
            if name in names:
                rules = (_read_rules(self._folder / prefix / name, prefix + name, strip=len(prefix)), *rules)
        folders = []
        entries.reverse()
        while entries:
            entry = entries.pop()  # each keeps its stat, five times as large as what is made of it
            path = prefix + entry.name
            try:
                info = entry.stat(follow_symlinks=False)
                if not rules and _is_plain(entry.name, info.st_mode, self._always):  # all but a few are
                    self._found.append(found_at(path, info))
                    continue
                identity = self._add(path, entry, info, rules)
            except FileNotFoundError:  # gone since it was listed
                continue
            except OSError as error:  # such as a link in /proc that only its owner may read
                self._skip(path, f"cannot be read: {error.strerror}")
                continue
            if identity in above:
                self._skip(path, "a link to a folder above it")
            elif identity:
                folders.append((path + "/", rules, above | {identity} if self._follow else above))
        return folders

    def _add(
        self, path: str, entry: os.DirEntry[str], info: os.stat_result, rules: tuple[IgnoreFile, ...]
    ) -> tuple[int, int] | None:
        """Record an entry; if it is a folder to walk into, return its identity instead."""
        if entry.name in self._always:
            self._skip(path, "always ignored")
            return None
        link = stat.S_ISLNK(info.st_mode)
        if link and self._follow:
            try:
                info = entry.stat()
            except OSError as error:
                self._skip(path, f"a link to {_show(_target(entry))}: {error.strerror}")
                return None
            link = False
        folder = stat.S_ISDIR(info.st_mode)
        if rules and (reason := _ignored(rules, path, folder=folder)):
            self._skip(path, reason)
        elif not entry.name.isascii() and not _is_unicode(entry.name):
            self._skip(path, "its name is not UTF-8")
        elif folder:
            return (info.st_dev, info.st_ino)
        elif link:
            self._add_link(path, _target(entry))
        elif not stat.S_ISREG(info.st_mode):
            self._skip(path, "neither a file nor a folder")
        elif not os.access(entry.path, os.R_OK):
            self._skip(path, "cannot be read: Permission denied")
        else:
            self._found.append(found_at(path, info))
        return None

    def _add_link(self, path: str, target: str) -> None:
        try:
            check_link(path, target)
        except ValueError:
            self._skip(path, f"a link to {_show(target)}, outside the folder")
        else:
            self._found.append(Found(path, "symlink", target=target))

    def _skip(self, path: str, reason: str) -> None:
        self._skipped.append(Skipped(_show(path), reason))


def _checked(folder: Path) -> Path:
    folder = folder.absolute()
    try:
        with os.scandir(folder):
            return folder
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no folder {folder}", hint="check the path") from error
    except NotADirectoryError as error:
        raise UsageError(f"{folder} is not a folder", hint="name the folder that holds it") from error
    except PermissionError as error:
        raise PermissionDeniedError(f"cannot read {folder}: {error.strerror}", hint="check its mode") from error


def _outer_rules(folder: Path) -> tuple[IgnoreFile, ...]:
    """Return the `.gitignore` files above the folder, up to the top of its git work tree, the nearest first."""
    top = next((place for place in (folder, *folder.parents) if os.access(place / ".git", os.F_OK)), folder)
    rules: list[IgnoreFile] = []
    for outer in folder.parents[: len(folder.parts) - len(top.parts)]:
        below = folder.relative_to(outer).as_posix()
        if (outer / GIT_IGNORE).is_file():
            rules.append(_read_rules(outer / GIT_IGNORE, str(outer / GIT_IGNORE)))
            # A folder that is itself ignored was named on purpose: what is said about it from outside is void.
            if any(_ignored((rules[-1],), step, folder=True) for step in (*parents(below), below)):
                return ()
            rules[-1] = msgspec.structs.replace(rules[-1], prepend=below + "/")
    return tuple(rules)


def _read_rules(path: Path, label: str, *, strip: int = 0) -> IgnoreFile:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise PermissionDeniedError(f"cannot read {path}: {error.strerror}", hint="check its mode") from error
    return IgnoreFile(label=label, rules=parse_rules(text), strip=strip)


def _ignored(rules: tuple[IgnoreFile, ...], path: str, *, folder: bool) -> str:
    for file in rules:
        if rule := file.find(path, folder=folder):
            return "" if rule.keep else f"rule {rule.text} in {file.label}"
    return ""


def _target(link: os.DirEntry[str]) -> str:
    return os.readlink(link.path)  # noqa: PTH115  (a Path would drop a leading `./`)


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _show(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()
