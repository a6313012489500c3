"""Look into a dataset version, and read single files, without fetching the rest."""

import hashlib
from collections.abc import Iterator
from itertools import islice

import msgspec

from orchestrator.datasets.versions import DatasetVersion
from orchestrator.errors import MlctlError, NotFoundError, UsageError
from orchestrator.specs.names import nearest
from orchestrator.store.base import CorruptObjectError, ObjectNotFoundError, Store
from orchestrator.store.manifest import Entry, Kind, Manifest
from orchestrator.store.rate import UNLIMITED
from orchestrator.store.unpack import DAMAGED_HINT, read_packed

BLOCK = 8 << 20  # bytes read at once
COMPARED = 1000  # names, to find the one that was meant


class Listed(msgspec.Struct, frozen=True):
    """What lies directly below a folder of a dataset.

    Attributes:
        path: From the top of the dataset; a folder's ends in `/`.
        kind: What it is.
        files: Number of files: 1, or all that are in a folder.
        size: Their bytes.
    """

    path: str
    kind: Kind
    files: int
    size: int


def list_folder(version: DatasetVersion, manifest: Manifest, folder: str) -> list[Listed]:
    """Return what is in a folder (empty: the top) of a manifest; of a file, the file itself.

    Args:
        version: Which one, for errors.
        manifest: Of the version.
        folder: With or without a slash at its end.

    Raises:
        NotFoundError: There is no such folder or file.
    """
    top = folder.strip("/")
    prefix = top and top + "/"
    found: dict[str, Listed] = {}
    exists = not top
    for entry in manifest.entries:
        if entry.path == top:
            if entry.kind == "folder":
                return []
            return [Listed(top, entry.kind, 1, entry.size)]
        if not entry.path.startswith(prefix):
            continue
        exists = True
        name, slash, _ = entry.path[len(prefix) :].partition("/")
        path = prefix + name + (slash or "/" * (entry.kind == "folder"))
        kind: Kind = "folder" if path.endswith("/") else entry.kind
        before = found.get(path)
        files, size = (before.files, before.size) if before else (0, 0)
        found[path] = Listed(path, kind, files + (entry.kind == "file"), size + entry.size)
    if not exists:
        raise _not_found(version, manifest, top)
    return sorted(found.values(), key=lambda listed: listed.path)


def read_file(store: Store, version: DatasetVersion, manifest: Manifest, path: str) -> Iterator[bytes]:
    """Return the bytes of one file of a version, in blocks.

    Args:
        store: Where it is.
        version: Which one.
        manifest: Of the version.
        path: Of the file.

    Raises:
        NotFoundError: There is no such file.
        UsageError: It is a folder.
        CorruptObjectError: It is damaged. That is found out before its last block is given, so that nothing of a file
            of one block is given.
    """
    wanted = path.strip("/")
    entry = next((entry for entry in manifest.entries if entry.path == wanted), None)
    if entry is None or entry.kind != "file":
        if entry or any(other.path.startswith(wanted + "/") for other in manifest.entries):
            hint = f"name a file in it: mlctl dataset ls {version.name} {path}"
            raise UsageError(f"{path} of {version.url} is a folder", hint=hint)
        raise _not_found(version, manifest, wanted)
    if entry.pack is None:
        return _blocks(store, version.prefix + entry.path, entry)
    return _packed(store, manifest, entry)


def _packed(store: Store, manifest: Manifest, entry: Entry) -> Iterator[bytes]:
    for _, piece in read_packed(store, manifest.packs, [entry], UNLIMITED):
        if isinstance(piece, MlctlError):
            raise piece
        yield bytes(piece)


def _blocks(store: Store, key: str, entry: Entry) -> Iterator[bytes]:
    digest = hashlib.sha256()
    at = 0
    held = b""
    try:
        while block := store.get_range(key, at, BLOCK):
            if held:
                yield held
            digest.update(block)
            at += len(block)
            held = block
    except ObjectNotFoundError as error:
        raise CorruptObjectError(f"{key} is missing", hint=DAMAGED_HINT) from error
    if digest.hexdigest() != entry.sha256:
        raise CorruptObjectError(f"{key} is damaged: its bytes have changed", hint=DAMAGED_HINT)
    yield held


def _not_found(version: DatasetVersion, manifest: Manifest, path: str) -> NotFoundError:
    folder = path.rpartition("/")[0]
    beside = (entry.path for entry in manifest.entries if entry.path.rpartition("/")[0] == folder)
    near = nearest(path, islice(beside, COMPARED))
    hint = f"did you mean {near}?" if near else f"see what is there: mlctl dataset ls {version.name}"
    return NotFoundError(f"{version.url} has no {path}", hint=hint)
