"""Packages that an engine lacks: those that a job asks for in `pip-requirements.txt`, or a model for its service."""

from pathlib import Path

import msgspec

from orchestrator.errors import PreflightError

FILE = "pip-requirements.txt"  # in the code folder, as on ModelArts
NOTE = ".mlctl-installed.txt"


class RequirementsError(PreflightError):
    """The packages that are asked for cannot be installed."""


class Requirements(msgspec.Struct, frozen=True, kw_only=True):
    """The packages that are asked for.

    Attributes:
        folder: Has the file that names them.
        sha256: Hash of all that determines what is installed.
        text: What is in the file.
        what: They, for people; empty is the file.
    """

    folder: Path
    sha256: str
    text: str = ""
    what: str = ""

    @property
    def path(self) -> Path:
        """Return the file that names them."""
        return self.folder / FILE


def installed(path: Path) -> str:
    """Return what a layer holds, in one line."""
    return (path / NOTE).read_text(encoding="utf-8")
