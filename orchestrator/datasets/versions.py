"""The records of datasets, and where they and the files are in a store.

datasets/mnist/V0001/claim.json      who is pushing, or has pushed, this version
datasets/mnist/V0001/files/...       the files under their own names, but for those in packs
datasets/mnist/packs/<sha256>.tar    small files of all packed versions (store.pack)
datasets/mnist/V0001/manifest.json   their sizes and hashes (store.manifest.Manifest)
datasets/mnist/V0001/dataset.json    this record, written last: without it there is no such version
"""

import getpass
import os
import socket
import time
from collections.abc import Iterator
from typing import Literal

import msgspec

from orchestrator.decoders import decoder
from orchestrator.specs.names import format_version
from orchestrator.store.base import CorruptObjectError, ObjectNotFoundError, Store, list_folders
from orchestrator.store.manifest import Manifest
from orchestrator.store.records import change, find

Layout = Literal["plain", "packed"]

ROOT = "datasets/"
CLAIM = "claim.json"
FILES = "files/"
MANIFEST = "manifest.json"
RECORD = "dataset.json"
DAMAGE = "damaged.json"
PACKS = "packs/"


class DatasetVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One immutable version of a dataset.

    Attributes:
        name: Of the dataset.
        number: Of the version, from 1.
        description: What the pusher said about it.
        created: Seconds since the epoch.
        author: `user@host`.
        source: Where the files came from: `host:/folder`, or the catalog's source.
        sha256: Hash of the tree: names and contents.
        files: Number of files.
        size: Bytes of all files.
        catalog: Identity of the catalog entry it was imported from; empty if it was pushed.
        layout: `plain`: each file is an object; `packed`: small files are in packs.
        layout_asked: Whether the pusher asked for this layout, rather than leaving it to mlctl.
        deleted: Seconds since the epoch when it was deleted, or 0. The number stays taken.
    """

    name: str
    number: int
    description: str = ""
    created: float
    author: str
    source: str
    sha256: str
    files: int
    size: int
    catalog: str = ""
    layout: Layout = "plain"
    layout_asked: bool = False
    deleted: float = 0.0

    @property
    def version(self) -> str:
        """As in `V0001`."""
        return format_version(self.number)

    @property
    def url(self) -> str:
        """As a job's `data:` names it, `dataset://mnist@v1`."""
        return f"dataset://{self.name}@v{self.number}"

    @property
    def prefix(self) -> str:
        """Prefix of its files in the store."""
        return version_prefix(self.name, self.number) + FILES

    @property
    def manifest_key(self) -> str:
        """Key of its manifest in the store."""
        return version_prefix(self.name, self.number) + MANIFEST


class Damage(msgspec.Struct, frozen=True):
    """Which files of a version were found damaged or missing."""

    paths: list[str]


def version_prefix(name: str, number: int) -> str:
    """Return the prefix of all objects of a version."""
    return f"{ROOT}{name}/{format_version(number)}/"


def packs_prefix(name: str) -> str:
    """Return the prefix of the packs that all versions of a dataset share."""
    return f"{ROOT}{name}/{PACKS}"


def numbers_taken(store: Store, name: str) -> list[int]:
    """Return the numbers that have objects, whether the version exists or is still being pushed, in order."""
    folders = list_folders(store, f"{ROOT}{name}/")
    return sorted(int(folder[1:]) for folder in folders if folder.startswith("V") and folder[1:].isdecimal())


def find_version(store: Store, name: str, number: int) -> DatasetVersion | None:
    """Return a version, or None if it does not exist (yet, or any more)."""
    version = find(store, version_prefix(name, number) + RECORD, DatasetVersion)
    return None if version is None or version.deleted else version


def deleted_version(name: str, number: int) -> DatasetVersion:
    """Return what stays of a version that is deleted, or whose push was given up: nobody gets its number again."""
    now = time.time()
    return DatasetVersion(
        name=name, number=number, created=now, author=author(), source="", sha256="", files=0, size=0, deleted=now
    )


def mark_deleted(store: Store, version: DatasetVersion) -> None:
    """Make a version invisible."""
    key = version_prefix(version.name, version.number) + RECORD
    change(store, key, DatasetVersion, lambda old: deleted_version(old.name, old.number))


def existing_versions(store: Store, name: str) -> Iterator[DatasetVersion]:
    """Yield the versions of a dataset that exist, the latest first."""
    for number in reversed(numbers_taken(store, name)):
        if version := find_version(store, name, number):
            yield version


def read_manifest(store: Store, version: DatasetVersion) -> Manifest:
    """Return the files of a version with their sizes and hashes.

    Raises:
        CorruptObjectError: The manifest is missing, or not the one that was recorded.
    """
    hint = "restore the object from a backup, or push or import the dataset anew"
    try:
        manifest = decoder(Manifest).decode(store.get(version.manifest_key).data)
    except ObjectNotFoundError as error:
        raise CorruptObjectError(f"{version.manifest_key} is missing", hint=hint) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptObjectError(f"{version.manifest_key} is damaged: {error}", hint=hint) from error
    if manifest.tree_hash() != version.sha256:
        raise CorruptObjectError(f"{version.manifest_key} is not the manifest of {version.url}", hint=hint)
    return manifest


def damaged_paths(store: Store, version: DatasetVersion) -> frozenset[str]:
    """Return the files that `verify` last found damaged."""
    damage = find(store, version_prefix(version.name, version.number) + DAMAGE, Damage)
    return frozenset(damage.paths if damage else ())


def author() -> str:
    """Return who acts here, as `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
