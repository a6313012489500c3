"""The datasets of a store: push, import, look, pull, verify."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.datasets.catalog import CATALOG, CatalogEntry, load_catalog
from orchestrator.datasets.layout import LayoutChoice
from orchestrator.datasets.push import PushResult, push_folder
from orchestrator.datasets.versions import (
    RECORD,
    ROOT,
    DatasetVersion,
    damaged_paths,
    existing_versions,
    find_version,
    mark_deleted,
    read_manifest,
    version_prefix,
)
from orchestrator.errors import ConflictError, NotFoundError, UsageError
from orchestrator.progress import SILENT, Reporter
from orchestrator.specs.names import check_name, nearest, parse_version
from orchestrator.store.base import Store, list_folders, list_objects
from orchestrator.store.look import Look
from orchestrator.store.manifest import Manifest
from orchestrator.store.rate import Rate

if TYPE_CHECKING:
    from orchestrator.datasets.content import Listed
    from orchestrator.datasets.verify import VerifyReport

# A method is called `list`.
Versions: TypeAlias = list[DatasetVersion]
Catalog: TypeAlias = list[CatalogEntry]
Content: TypeAlias = "list[Listed]"
Readers: TypeAlias = Callable[[str], Mapping[str, Sequence[str]]]

SHOWN = 3  # readers of a version that are named


class Datasets:
    """The datasets of a store.

    A version is given as a number, as users write it (`v3`, `V0003`, `3`, `latest`), or as None, the
    latest. Every method that names a dataset or version raises NotFoundError if there is none.

    Args:
        store: Where they are.
        reporter: Told of long work.
        catalog: Folder of what can be imported.
        readers: Names the job versions that were given a dataset, by its version.
    """

    def __init__(
        self, store: Store, *, reporter: Reporter = SILENT, catalog: Path = CATALOG, readers: Readers = lambda name: {}
    ) -> None:
        self._store = store
        self._readers = readers
        self._reporter = reporter
        self._catalog = catalog

    def push(
        self,
        folder: Path,
        *,
        name: str,
        description: str = "",
        layout: LayoutChoice = "auto",
        bandwidth: int | None = None,
        look: Look | None = None,
    ) -> PushResult:
        """Make a folder's content the next version, unless it is that of the latest.

        Symbolic links are followed; `.mlctlignore` files are honoured. Killed and run again, it goes on.

        Args:
            folder: What to push.
            name: Of the dataset.
            description: For people.
            layout: How to store it; another one than that of the latest version makes a new version.
            bandwidth: Bytes per second at most.
            look: At the folder, resolved, where one was begun before.

        Raises:
            NotFoundError: There is no such folder.
            UsageError: The name is not allowed, or the folder has no files.
            PermissionDeniedError, StoreError: It cannot be read, or the store not be written.
        """
        check_name(name, "dataset")
        folder = folder.resolve()
        source = f"{socket.gethostname()}:{folder}"
        return push_folder(
            self._store,
            look or Look(folder),
            name,
            description=description,
            source=source,
            layout=layout,
            rate=Rate(bandwidth),
            reporter=self._reporter,
        )

    def import_(self, name: str, *, layout: LayoutChoice = "auto") -> PushResult:
        """Bring a dataset of the catalog into the store; does nothing if it is there undamaged.

        Raises:
            NotFoundError: The catalog has no such dataset.
            DownloadError: None of its sources works; names them all.
        """
        entry = self._entry(name)
        for version in existing_versions(self._store, name):
            fits = version.catalog == entry.identity and layout in ("auto", version.layout)
            if fits and not damaged_paths(self._store, version):
                return PushResult(version=version, created=False)
        from orchestrator.datasets.prepare import prepare  # it loads the HTTP client

        folder, source = prepare(entry, reporter=self._reporter)
        return push_folder(
            self._store,
            Look(folder),
            name,
            description=entry.title,
            source=source,
            catalog=entry.identity,
            layout=layout,
            rate=Rate(),
            reporter=self._reporter,
        )

    def list(self) -> Versions:
        """Return the latest version of every dataset, by name."""
        names = sorted(list_folders(self._store, ROOT))
        return [version for name in names if (version := next(existing_versions(self._store, name), None))]

    def versions(self, name: str) -> Versions:
        """Return all versions of a dataset, the latest first."""
        return [*existing_versions(self._store, self._checked(name))]

    def get(self, name: str, version: int | str | None = None) -> DatasetVersion:
        """Return one version."""
        number = parse_version(version) if isinstance(version, str) else version
        if number is None:
            return next(existing_versions(self._store, self._checked(name)))
        if found := find_version(self._store, check_name(name, "dataset"), number):
            return found
        known = ", ".join(one.version for one in reversed(self.versions(name)))
        raise NotFoundError(f"dataset {name} has no version {number}; it has {known}", hint=f"mlctl dataset get {name}")

    def resolve(self, url: str) -> DatasetVersion:
        """Return the version that `dataset://NAME[@VERSION]` names.

        Raises:
            UsageError: The URL has another form.
        """
        from orchestrator.specs.job import parse_dataset_url  # with all that a job may say

        parts = parse_dataset_url(url)
        if parts is None:
            raise UsageError(f"{url!r} does not name a dataset", hint="write dataset://mnist or dataset://mnist@v1")
        return self.get(*parts)

    def manifest(self, version: DatasetVersion) -> Manifest:
        """Return the files of a version with their sizes and hashes.

        Raises:
            CorruptObjectError: The manifest is not the one that was recorded.
        """
        return read_manifest(self._store, version)

    def ls(self, name: str, version: int | str | None = None, path: str = "") -> Content:
        """Return what lies directly below a folder of a version; by default at its top.

        Raises:
            NotFoundError: The version has no such folder or file.
        """
        from orchestrator.datasets.content import list_folder

        found = self.get(name, version)
        return list_folder(found, self.manifest(found), path)

    def cat(self, name: str, version: int | str | None, path: str) -> Iterator[bytes]:
        """Return the bytes of one file of a version, in blocks, without fetching any other.

        Raises:
            NotFoundError: The version has no such file.
            UsageError: It is a folder.
            CorruptObjectError: It is damaged; nothing of a small file is given then.
        """
        from orchestrator.datasets.content import read_file

        found = self.get(name, version)
        return read_file(self._store, found, self.manifest(found), path)

    def pull(
        self, name: str, version: int | str | None, target: Path, *, bandwidth: int | None = None
    ) -> DatasetVersion:
        """Download a version into a folder, verified; files that are there already are not fetched again.

        Args:
            name: Of the dataset.
            version: Which one.
            target: The folder.
            bandwidth: Bytes per second at most.

        Raises:
            CorruptObjectError: Objects are damaged or missing; the others are there.
            PermissionDeniedError, StoreError: The folder cannot be written.
        """
        from orchestrator.store.transfer import download_tree

        found = self.get(name, version)
        rate = Rate(bandwidth)
        download_tree(self._store, found.prefix, self.manifest(found), target, rate=rate, reporter=self._reporter)
        return found

    def verify(self, name: str, version: int | str | None = None) -> "VerifyReport":
        """Read every object of a version again and compare hashes.

        Raises:
            CorruptObjectError: Objects are damaged or missing; names them.
        """
        from orchestrator.datasets.verify import verify_version

        found = self.get(name, version)
        return verify_version(self._store, found, self.manifest(found), self._reporter)

    def delete(self, name: str, version: int | str | None = None, *, force: bool = False) -> Sequence[str]:
        """Delete a version, or all of a dataset; the numbers stay taken.

        Packs stay until `mlctl store gc` finds that no version refers to them.

        Args:
            name: Of the dataset.
            version: Which one; None: all.
            force: Also what jobs have read.

        Returns:
            The deleted versions.

        Raises:
            ConflictError: A job has read one of them.
        """
        found = self.versions(name) if version is None else [self.get(name, version)]
        readers = {} if force else self._readers(name)
        for one in found:
            if users := readers.get(one.version, []):
                named = ", ".join(users[:SHOWN]) + (f" and {len(users) - SHOWN} more" if len(users) > SHOWN else "")
                hint = "without it they cannot be run again; to delete it all the same: --force"
                raise ConflictError(f"{name}/{one.version} is the data of {named}", hint=hint)
        for one in reversed(found):
            mark_deleted(self._store, one)
        for one in found:
            prefix = version_prefix(one.name, one.number)
            there = list_objects(self._store, prefix)
            self._store.delete(item.key for item in there if item.key != prefix + RECORD)
        return [one.version for one in found]

    def catalog(self) -> Catalog:
        """Return what can be imported, by name."""
        return load_catalog(self._catalog)

    def _checked(self, name: str) -> str:
        check_name(name, "dataset")
        if next(existing_versions(self._store, name), None):
            return name
        offered = [entry.name for entry in self.catalog()]
        if name in offered:
            raise NotFoundError(f"there is no dataset {name} in {self._store.url}", hint=f"mlctl dataset import {name}")
        near = nearest(name, [*list_folders(self._store, ROOT), *offered])
        hint = f"did you mean {near}?" if near else "mlctl dataset list"
        raise NotFoundError(f"there is no dataset {name} in {self._store.url}", hint=hint)

    def _entry(self, name: str) -> CatalogEntry:
        offered = {entry.name: entry for entry in self.catalog()}
        if name not in offered:
            near = nearest(name, offered)
            hint = f"did you mean {near}?" if near else "push your own: mlctl dataset push FOLDER --name NAME"
            raise NotFoundError(f"the catalog has no dataset {name!r}; it has {', '.join(offered)}", hint=hint)
        return offered[name]
