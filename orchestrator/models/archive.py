"""A model version as one file, `model.json` and `model/...` in a tar.gz: self-contained, for another store."""

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import ConflictError, UsageError
from orchestrator.models.bring import Origin
from orchestrator.models.package import FOLDER
from orchestrator.models.record import RECORD, ModelVersion
from orchestrator.progress import Reporter
from orchestrator.store.base import Store
from orchestrator.store.index import hash_file
from orchestrator.store.manifest import Entry
from orchestrator.store.parallel import as_mlctl_error
from orchestrator.store.records import decode, encode
from orchestrator.store.transfer import download_tree

_HINT = "name an archive that `mlctl model export` wrote, or a folder"


def write_archive(store: Store, version: ModelVersion, target: Path, *, reporter: Reporter) -> None:
    """Write a version into a new file.

    Raises:
        ConflictError: There is a file of that name.
        CorruptObjectError: A file in the store is damaged.
        PermissionDeniedError, StoreError: The store fails, or the file cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
            folder = Path(scratch, "version")
            download_tree(store, version.prefix, version.manifest, folder / FOLDER, reporter=reporter)
            (folder / RECORD).write_bytes(encode(version))
            archive = Path(scratch, "archive")
            with tarfile.open(archive, "w:gz") as tar:
                tar.add(folder / RECORD, RECORD)
                tar.add(folder / FOLDER, FOLDER.rstrip("/"))
            target.hardlink_to(archive)  # fails if it exists
    except FileExistsError as error:
        raise ConflictError(f"{target} exists", hint="name another file, or remove that one") from error
    except OSError as error:
        raise as_mlctl_error(error, f"cannot write {target}") from error


@contextmanager
def read_archive(path: Path) -> Iterator[tuple[Path, Origin]]:
    """Unpack an archive for as long as it is needed: the folder of its package, and what its registry knew.

    Raises:
        UsageError: It is not an archive of a model, or is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="mlctl-model-") as scratch:
        folder = Path(scratch)
        try:
            with tarfile.open(path) as tar:
                tar.extractall(folder, filter="data")
            version = decode((folder / RECORD).read_bytes(), ModelVersion, f"{RECORD} in {path}")
            damaged = [one.path for one in version.manifest.entries if not _is_there(folder / FOLDER, one)]
        except (tarfile.TarError, EOFError, OSError) as error:
            reason = str(error).partition("\n")[0].rstrip(":")  # of each format that was tried there is a line
            raise UsageError(f"{path} is not the archive of a model: {reason}", hint=_HINT) from error
        if damaged:
            raise UsageError(f"{path} is damaged: {damaged[0]} is not what was exported", hint="export it again")
        yield folder, Origin(version.number, version.lineage, version.name)


def _is_there(folder: Path, entry: Entry) -> bool:
    return entry.kind != "file" or hash_file(folder / entry.path) == entry.sha256
