"""Bring files into the registry's store: those of a folder, of a prefix in some bucket, or of an archive."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from orchestrator.errors import NotFoundError
from orchestrator.models.package import FOLDER, find_package, read_config
from orchestrator.models.record import FILES, Lineage, ModelVersion, model_prefix
from orchestrator.models.register import find_same, register
from orchestrator.progress import Reporter
from orchestrator.store.base import Store, list_objects
from orchestrator.store.condemned import FRESH, wait_for_collectors
from orchestrator.store.index import hash_file
from orchestrator.store.manifest import Entry, Manifest, manifest_of
from orchestrator.store.parallel import as_mlctl_error
from orchestrator.store.paths import check_path
from orchestrator.store.scan import Scan, scan_all
from orchestrator.store.transfer import upload_tree


class Origin(NamedTuple):
    """What another registry knew of a version: its number, or 0, where it came from, and the model's name."""

    number: int
    lineage: Lineage
    name: str = ""


NOWHERE = Origin(0, Lineage())


def import_folder(
    store: Store, folder: Path, name: str, *, source: str, author: str, origin: Origin = NOWHERE, reporter: Reporter
) -> ModelVersion:
    """Copy a folder's package into the store and register it; the same content again is the same version.

    Args:
        store: Where the registry is.
        folder: With a folder `model` in it, or a package itself; absolute.
        name: Of the model.
        source: Where it is from, for people.
        author: Who registers it.
        origin: What another registry knew of it.
        reporter: Told of the progress.

    Raises:
        NotFoundError: There is no such folder, or no package in it.
        PermissionDeniedError, StoreError: It cannot be read, or the store not be written.
    """
    top, package = find_package(_manifest_of(scan_all(folder)), source)
    draft = ModelVersion(
        name=name,
        number=origin.number,
        author=author,
        source=source,
        store=store.url,
        # Nobody else's: whoever deletes a version need not ask whether others share its files.
        prefix=f"{model_prefix(name)}{FILES}{package.tree_hash()[:16]}-{os.urandom(4).hex()}/",
        manifest=package,
        lineage=origin.lineage,
    )
    if found := find_same(store, draft):
        return found
    begun = time.time()
    manifest = upload_tree(store, draft.prefix, folder / top, reporter=reporter)
    config = read_config(manifest, lambda path: (folder / top / path).read_bytes())
    version = register(store, msgspec.structs.replace(draft, manifest=manifest, config=config))
    if time.time() - begun > FRESH:  # a collector may have taken the files for garbage; now the record refers to them
        wait_for_collectors(store, draft.prefix, reporter=reporter)
        if sum(1 for _ in list_objects(store, draft.prefix)) < manifest.files:
            upload_tree(store, draft.prefix, folder / top, reporter=reporter)
    return version


@contextmanager
def fetched(store: Store, url: str) -> Iterator[Path]:
    """Fetch all objects of a store into a folder, which goes when it is left.

    Raises:
        NotFoundError: There are none.
    """
    with tempfile.TemporaryDirectory(prefix="mlctl-model-") as name:
        folder, empty = Path(name), True
        for item in list_objects(store, ""):
            check_path(item.key)
            target = folder / item.key
            target.parent.mkdir(parents=True, exist_ok=True)
            store.download(item.key, target)
            empty = False
        if empty:
            raise NotFoundError(f"there is nothing below {url}", hint="name the folder that holds model/")
        yield folder


@contextmanager
def with_files(folder: Path, files: Mapping[str, Path]) -> Iterator[Path]:
    """Give a folder whose package has these files, by name: the folder itself if there are none, else a copy.

    Where a folder is named instead of a file, the package gets all that is in it.

    Raises:
        NotFoundError: There is no such folder or file.
    """
    if not files:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="mlctl-model-") as scratch:
        copy = Path(scratch, FOLDER)
        try:
            shutil.copytree(folder / FOLDER if (folder / FOLDER).is_dir() else folder, copy)
            for name, path in files.items():
                if path.is_dir():
                    (path / name).stat()  # else it is some other folder
                    shutil.copytree(
                        path, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".git")
                    )
                else:
                    shutil.copyfile(path, copy / name)
        except FileNotFoundError as error:
            raise NotFoundError(f"there is no {error.filename}", hint="check the path") from error
        except (OSError, shutil.Error) as error:
            raise as_mlctl_error(OSError(str(error)), f"cannot copy {folder}") from error
        yield Path(scratch)


def _manifest_of(scan: Scan) -> Manifest:
    return manifest_of(
        Entry(path=found.path, size=found.size, sha256=hash_file(scan.folder / found.path)) for found in scan.files
    )
