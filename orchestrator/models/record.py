"""The records of models, and where they and their files are in a store.

models/digits/V0003/model.json     a version: written once, by whoever claims the number
models/digits/files/<tree hash>/   files of versions that were imported; a job's stay in its output
models/digits/card.json            what changes: aliases with their history, tags, notes
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from orchestrator.specs.names import format_version
from orchestrator.store.base import Store, list_folders
from orchestrator.store.manifest import Manifest
from orchestrator.store.records import find

ROOT = "models/"
RECORD = "model.json"
CARD = "card.json"
FILES = "files/"


class Lineage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model was made by, of and with.

    Attributes:
        job: The job version, as in `mnist-mxnet/V0003`.
        data: The dataset version, as in `mnist/V0001`; `data_sha256` is the hash of its tree.
        code_sha256: Hash of the code folder's content.
        git_commit: Of the work tree that the code came from; `git_dirty` if that had changes of its own.
        engine: Name of the engine.
        environment: What the engine was there: an image, or the hash of its locked requirements and Python.
        parameters: The script's parameters.
        metrics: What the script measured last, by name; what matters most comes first.
        requirements: The code's pip-requirements.txt, if it has one.
        author: Who submitted the job, as `user@host`.
    """

    job: str = ""
    data: str = ""
    data_sha256: str = ""
    code_sha256: str = ""
    git_commit: str = ""
    git_dirty: bool = False
    engine: str = ""
    environment: str = ""
    parameters: dict[str, str | int | float | bool] = {}
    metrics: dict[str, float] = {}
    requirements: str = ""
    author: str = ""


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One immutable version of a model.

    Attributes:
        name: Of the model.
        number: Of the version, from 1; that of the job version it came from, where that was free.
        created: Seconds since the epoch.
        author: Who registered it, as `user@host`.
        source: Where it came from, for people: a job version, a folder, a URL or an archive.
        store: URL of the store that has the files.
        prefix: Of the files in it; ends in `/`.
        manifest: The package: paths below `prefix`, sizes and hashes.
        config: The package's `config.json`; empty if it has none.
        lineage: Where it came from, in full.
        deleted: Seconds since the epoch when it was deleted, or 0. The number stays taken.
    """

    name: str
    number: int = 0
    created: float = 0.0
    author: str = ""
    source: str = ""
    store: str = ""
    prefix: str = ""
    manifest: Manifest = Manifest()
    config: dict[str, Any] = {}
    lineage: Lineage = Lineage()
    deleted: float = 0.0

    @property
    def version(self) -> str:
        """As in `V0003`."""
        return format_version(self.number)

    @property
    def ref(self) -> str:
        """As in `digits/V0003`."""
        return f"{self.name}/{self.version}"

    @property
    def type(self) -> str:
        """The framework that serves it, as `config.json` has it; empty if that does not say."""
        return str(self.config.get("model_type", ""))

    @property
    def metrics(self) -> dict[str, Any]:
        """What `config.json` says of its quality."""
        found = self.config.get("metrics")
        return found if isinstance(found, dict) else {}

    def same_content(self, other: "ModelVersion") -> bool:
        """Return whether both are the same files of the same origin."""
        mine, others = self.manifest.tree_hash(), other.manifest.tree_hash()
        return (mine, self.source, self.lineage.job) == (others, other.source, other.lineage.job)


def model_prefix(name: str) -> str:
    """Return the prefix of all that belongs to a model."""
    return f"{ROOT}{name}/"


def record_key(name: str, number: int) -> str:
    """Return the key of a version's record."""
    return f"{model_prefix(name)}{format_version(number)}/{RECORD}"


def model_names(store: Store) -> list[str]:
    """Return the names of all models that there are or were."""
    return sorted(list_folders(store, ROOT))


def numbers_taken(store: Store, name: str) -> list[int]:
    """Return the numbers that are taken, those of deleted versions too, in order."""
    folders = list_folders(store, model_prefix(name))
    return sorted(int(folder[1:]) for folder in folders if folder.startswith("V") and folder[1:].isdecimal())


def find_version(store: Store, name: str, number: int) -> ModelVersion | None:
    """Return a version, or None if there is none, or it was deleted."""
    version = find(store, record_key(name, number), ModelVersion)
    return None if version is None or version.deleted else version


def existing_versions(store: Store, name: str) -> Iterator[ModelVersion]:
    """Yield the versions of a model, the latest first."""
    for number in reversed(numbers_taken(store, name)):
        if version := find_version(store, name, number):
            yield version
