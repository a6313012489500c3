"""Packages that a job asks for in `pip-requirements.txt`."""

from pathlib import Path

import msgspec

from orchestrator.errors import PreflightError

FILE = "pip-requirements.txt"  # in the code folder, as on ModelArts
NOTE = ".mlctl-installed.txt"


class RequirementsError(PreflightError):
    """The packages that a job asks for cannot be installed."""


class Requirements(msgspec.Struct, frozen=True, kw_only=True):
    """The packages that a job asks for.

    Attributes:
        folder: The code, with the file that names them.
        sha256: Hash of all that determines what is installed.
    """

    folder: Path
    sha256: str

    @property
    def path(self) -> Path:
        """Return the file that names them."""
        return self.folder / FILE


def installed(path: Path) -> str:
    """Return what a layer holds, in one line."""
    return (path / NOTE).read_text(encoding="utf-8")
