"""What the store holds of a dataset's content already, so that a push need not send it."""

from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.datasets.versions import (
    DatasetVersion,
    damaged_paths,
    existing_versions,
    packs_prefix,
    read_manifest,
)
from orchestrator.errors import StoreError
from orchestrator.progress import Reporter
from orchestrator.store.base import CorruptObjectError, Store, list_objects
from orchestrator.store.manifest import Entry, Manifest
from orchestrator.store.scan import Found

if TYPE_CHECKING:
    from orchestrator.store.pack import Place

LOOK_BACK = 5  # versions whose packs are looked into
ENTRY = 250  # bytes of a manifest's entry, roughly


class Held:
    """What the versions of a dataset hold.

    Attributes:
        latest: The latest version, if there is one.
    """

    def __init__(self, store: Store, name: str, reporter: Reporter) -> None:
        self._store = store
        self._name = name
        self._reporter = reporter
        self._versions = existing_versions(store, name)
        self.latest: DatasetVersion | None = next(self._versions, None)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """The latest version's entries by path; empty if its manifest is damaged."""
        return {entry.path: entry for entry in self._manifest.entries}

    @cached_property
    def damaged(self) -> frozenset[str]:
        """The latest version's files that `verify` last found damaged."""
        return damaged_paths(self._store, self.latest) if self.latest else frozenset()

    def objects(self) -> dict[str, str]:
        """Return the keys of the latest version's undamaged objects of their own, by SHA-256."""
        if self.latest is None:
            return {}
        return {
            entry.sha256: self.latest.prefix + entry.path
            for entry in self._manifest.entries
            if entry.kind == "file" and entry.pack is None and entry.path not in self.damaged
        }

    def places(self, files: list[Found], known: dict[str, str]) -> tuple[dict[str, "Place"], set[str]]:
        """Return where packs have content, by SHA-256, and the keys of the packs that need not be sent again.

        Beside the latest version, some earlier ones are looked into, as long as what is left to send is more
        than their manifests are to fetch.

        Args:
            files: What is pushed.
            known: SHA-256 of some of them, by path.
        """
        from orchestrator.store.pack import PACKED, Place

        places: dict[str, Place] = {}
        bad: set[Place] = set()
        manifest, damaged, looked = self._manifest, self.damaged, 1
        while True:
            here = [
                (entry, Place(manifest.packs[entry.pack], entry.offset))
                for entry in manifest.entries
                if entry.pack is not None
            ]
            bad |= {place for entry, place in here if entry.path in damaged}
            for entry, place in here:
                if place not in bad and place.key in self._present:
                    places.setdefault(entry.sha256, place)
            left = sum(
                found.size for found in files if found.size <= PACKED and known.get(found.path, "") not in places
            )
            version = next(self._versions, None) if left and looked < LOOK_BACK else None
            if version is None or left <= version.files * ENTRY:
                break
            manifest, damaged, looked = self._read(version), damaged_paths(self._store, version), looked + 1
        return places, self._present - {place.key for place in bad}

    def require(self, packs: tuple[str, ...]) -> None:
        """Check that all packs are in the store.

        Raises:
            StoreError: Some are not.
        """
        gone = set(packs).difference(self._list_packs()) if packs else set()
        if gone:
            message = f"{len(gone)} packs of {self._name} vanished from the store during the push, as {min(gone)}"
            raise StoreError(message, hint="run the same command again: it sends them anew")

    @cached_property
    def _manifest(self) -> Manifest:
        return self._read(self.latest) if self.latest else Manifest()

    @cached_property
    def _present(self) -> set[str]:
        return self._list_packs()

    def _list_packs(self) -> set[str]:
        return {item.key for item in list_objects(self._store, packs_prefix(self._name))}

    def _read(self, version: DatasetVersion) -> Manifest:
        try:
            return read_manifest(self._store, version)
        except CorruptObjectError as error:
            self._reporter.note(f"{error.message}: sending everything anew")
            return Manifest()
