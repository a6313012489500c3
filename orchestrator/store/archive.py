"""Code, kept once per content: `code/<sha256>.tar.gz`.

The hash is that of the tree (names, modes, contents), not of the archive's bytes, which depend on the
version of zlib that packed them. Whoever unpacks an archive computes it again from what came out.
"""

import gzip
import hashlib
import stat
import tarfile
import tempfile
import time
import zlib
from io import RawIOBase
from pathlib import Path
from typing import IO

import msgspec

from orchestrator.errors import ConflictError
from orchestrator.progress import SILENT, Reporter
from orchestrator.store import condemned
from orchestrator.store.base import CorruptObjectError, Store
from orchestrator.store.condemned import wait_for_collectors
from orchestrator.store.git import git_state
from orchestrator.store.index import hash_file
from orchestrator.store.manifest import Entry, Manifest, manifest_of
from orchestrator.store.parallel import as_mlctl_error, for_each, raise_failures
from orchestrator.store.paths import check_path
from orchestrator.store.scan import Found, Scan, Skipped, scan_code

PREFIX = "code/"
SUFFIX = ".tar.gz"
BLOCK = 1 << 20  # bytes read at once
LEVEL = 6  # of gzip


class CodeSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A code folder as it was at one moment.

    Attributes:
        folder: Where it was.
        sha256: Tree hash: the identity of the code.
        files: Number of files.
        size: Bytes of all files.
        largest: The largest files.
        skipped: What does not belong to the code, and why.
        manifest: Every file, link and empty folder.
        git_commit: Commit that the work tree around the folder is at; None outside of git.
        git_dirty: Whether the folder differs from that commit.
    """

    folder: Path
    sha256: str
    files: int
    size: int
    largest: list[Found]
    skipped: list[Skipped]
    manifest: Manifest
    git_commit: str | None
    git_dirty: bool

    @property
    def key(self) -> str:
        """Key of the archive in a store."""
        return archive_key(self.sha256)

    def hashes(self) -> dict[str, str]:
        """Return the hash of each file by path; of a link where it leads, and nothing of an empty folder."""
        return {entry.path: entry.sha256 or entry.target for entry in self.manifest.entries}


def archive_key(sha256: str) -> str:
    """Return the key of the archive of the code with that hash."""
    return f"{PREFIX}{sha256}{SUFFIX}"


def snapshot_code(folder: Path, *, alone: bool = False) -> CodeSnapshot:
    """Read a code folder and compute its identity; writes nothing.

    Args:
        folder: The code.
        alone: Whether the folders above have nothing to do with it, not even if they are a git work tree.

    Raises:
        NotFoundError: There is no such folder.
        UsageError: It is not a folder.
        PermissionDeniedError: It cannot be read.
        StoreError: Files vanished meanwhile.
    """
    scan = scan_code(folder, alone=alone)
    manifest = _manifest(scan)
    commit, dirty = (None, False) if alone else git_state(scan.folder)
    return CodeSnapshot(
        folder=scan.folder,
        sha256=manifest.tree_hash(),
        files=manifest.files,
        size=manifest.size,
        largest=scan.largest(),
        skipped=scan.skipped,
        manifest=manifest,
        git_commit=commit,
        git_dirty=dirty,
    )


def store_code(store: Store, snapshot: CodeSnapshot, *, reporter: Reporter = SILENT) -> str:
    """Put the snapshot's archive into the store unless it is there, and return its key.

    One that has been there for a while is sent again: its new date keeps `mlctl store gc` from it until a record
    refers to it, for which there is half an hour (condemned.FRESH).

    Raises:
        ConflictError: The folder has changed since the snapshot.
        PermissionDeniedError: The store refuses access.
        StoreError: The store failed.
    """
    while True:
        present = store.head(snapshot.key)
        if present is None or time.time() - present.modified > condemned.FRESH:
            _send(store, snapshot)
        wait_for_collectors(store, snapshot.key, reporter=reporter)
        if store.head(snapshot.key):  # else a collector had begun before
            return snapshot.key


def extract_code(store: Store, key: str, target: Path) -> None:
    """Unpack a code archive into a new folder, which appears only when it is whole and verified.

    Args:
        store: Where the archive is.
        key: As `store_code` returned it.
        target: Must not exist, or be an empty folder.

    Raises:
        ObjectNotFoundError: There is no such archive.
        CorruptObjectError: It is damaged, or holds what could write outside of the folder.
        ConflictError: The target is not empty.
        PermissionDeniedError, StoreError: The target cannot be written.
    """
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise ConflictError(f"{target} exists already and is not empty", hint="remove it, or choose another folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
            archive = Path(scratch, "archive")
            store.download(key, archive)
            folder = Path(scratch, "code")
            folder.mkdir()
            manifest = _unpack(archive, folder, key)
            expected = key.removeprefix(PREFIX).removesuffix(SUFFIX)
            if manifest.tree_hash() != expected:
                raise _damaged(key, f"its content has the hash {manifest.tree_hash()}")
            folder.rename(target)
    except OSError as error:
        raise as_mlctl_error(error, f"cannot unpack {key} to {target}") from error


def _send(store: Store, snapshot: CodeSnapshot) -> None:
    with tempfile.TemporaryDirectory(prefix="mlctl-code-") as scratch:
        archive = Path(scratch, "code.tar.gz")
        try:
            _pack(snapshot, archive)
        except OSError as error:
            raise as_mlctl_error(error, f"cannot pack {error.filename or snapshot.folder}") from error
        store.upload(snapshot.key, archive)


def _manifest(scan: Scan) -> Manifest:
    entries: list[Entry] = []

    def work(found: Found) -> None:
        sha256 = hash_file(scan.folder / found.path) if found.kind == "file" else ""
        entries.append(
            Entry(
                path=found.path, kind=found.kind, size=found.size, sha256=sha256, mtime_ns=found.mtime_ns,
                executable=found.executable, target=found.target,
            )
        )  # fmt: skip

    failures = for_each(scan.found, work, name=lambda found: found.path)
    raise_failures(failures, f"reading {scan.folder}")
    return manifest_of(entries)


def _pack(snapshot: CodeSnapshot, archive: Path) -> None:
    """Write the archive; the same snapshot gives the same bytes, wherever and whenever."""
    with (
        archive.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=LEVEL, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry in snapshot.manifest.entries:
            member = tarfile.TarInfo(entry.path)
            member.mode = 0o755 if entry.executable or entry.kind == "folder" else 0o644
            if entry.kind == "symlink":
                member.type = tarfile.SYMTYPE
                member.linkname = entry.target
                tar.addfile(member)
            elif entry.kind == "folder":
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            else:
                _pack_file(tar, member, snapshot.folder, entry)


def _pack_file(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, entry: Entry) -> None:
    member.size = entry.size
    path = folder / entry.path
    changed = ConflictError(f"{path} changed while it was being read", hint="run the same command again")
    with path.open("rb") as file:
        reader = _Hashing(file)
        try:
            tar.addfile(member, reader)
        except OSError as error:
            if error.errno is None:  # tarfile's own: the file has become shorter
                raise changed from error
            raise
    if reader.digest.hexdigest() != entry.sha256:
        raise changed


class _Hashing(RawIOBase):
    """A file that computes the hash of what is read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _unpack(archive: Path, folder: Path, key: str) -> Manifest:
    """Write the members below `folder` and return what they are."""
    try:
        with tarfile.open(archive, mode="r:gz") as tar:
            return manifest_of(_unpack_member(tar, member, folder) for member in tar)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, FileExistsError, ValueError) as error:
        raise _damaged(key, str(error)) from error


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> Entry:
    check_path(member.name)
    path = folder / member.name
    path.parent.mkdir(parents=True, exist_ok=True)  # no link made below leads out of the folder
    if member.issym():
        entry = Entry(path=member.name, kind="symlink", target=member.linkname)
        path.symlink_to(member.linkname)
        return entry
    if member.isdir():
        path.mkdir()
        return Entry(path=member.name, kind="folder")
    content = tar.extractfile(member) if member.isreg() else None
    if content is None:
        raise ValueError(f"{member.name!r} is neither a file nor a folder nor a symbolic link")
    executable = bool(member.mode & stat.S_IXUSR)
    digest = hashlib.sha256()
    with path.open("xb") as file:
        while block := content.read(BLOCK):
            digest.update(block)
            file.write(block)
    path.chmod(0o755 if executable else 0o644)
    return Entry(path=member.name, size=member.size, sha256=digest.hexdigest(), executable=executable)


def _damaged(key: str, reason: str) -> CorruptObjectError:
    return CorruptObjectError(f"{key} is damaged: {reason}", hint="submit the job again from its code folder")
