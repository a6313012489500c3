"""Which job was created last from a folder, so that `mlctl logs` needs no name there."""

import hashlib
import os
from pathlib import Path

from orchestrator.config import home_dir
from orchestrator.errors import NotFoundError
from orchestrator.files import write_whole


def remember(name: str, version: str) -> None:
    """Note that this version was created from the current folder."""
    try:
        path = _path()
    except FileNotFoundError:  # the current folder was removed: nobody will ask from there
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, f"{name} {version}".encode("ascii"))


def recall() -> tuple[str, str]:
    """Return name and version of the last job created from the current folder.

    Raises:
        NotFoundError: None was.
    """
    try:
        name, version = _path().read_text(encoding="ascii").split()
    except (FileNotFoundError, ValueError):
        hint = "name one; see them all: mlctl job list"
        raise NotFoundError("no job was created from this folder yet", hint=hint) from None
    return name, version


def _path() -> Path:
    folder = hashlib.sha256(os.fsencode(Path.cwd())).hexdigest()[:16]
    return home_dir() / "last" / folder
