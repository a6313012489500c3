"""Layers: packages that jobs and models bring along, installed once beside the environment they add to.

A layer is a prefix, as of `pip install --prefix`; the guest `packages` puts what it holds behind all that the engine
has. It lives at `<cache>/layers/<environment>-<hash of the requirements>`. What was installed is noted last: a folder
without that note was never finished, and is made anew.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from orchestrator.config import cache_dir
from orchestrator.engines.making import locked, storage_error
from orchestrator.engines.requirements import NOTE, Requirements
from orchestrator.files import write_whole
from orchestrator.progress import SILENT, Reporter

HASH_LENGTH = 12  # hex digits


def layer_path(base: str, requirements: Requirements) -> Path:
    """Return the folder of a layer, whether it exists or not.

    Args:
        base: Name of the environment that it adds to.
        requirements: What it holds.
    """
    return cache_dir() / "layers" / f"{base}-{requirements.sha256[:HASH_LENGTH]}"


def is_layer_ready(path: Path) -> bool:
    """Tell whether the layer could be used at once."""
    return (path / NOTE).is_file()


def ensure_layer(
    path: Path, what: str, install: Callable[[Path, int], list[str]], *, reporter: Reporter = SILENT
) -> Path:
    """Make a layer if there is none yet; of several processes that ask at once, one makes it and the others wait.

    Args:
        path: Its folder.
        what: It, for people.
        install: Installs into a folder, given a lock to inherit, and returns what it has installed.
        reporter: Told of what is done.

    Raises:
        RequirementsError: The packages cannot be installed.
        MlctlError: The cache cannot be written.
    """
    if not is_layer_ready(path):
        try:
            with locked(path, what, reporter) as lock:
                if not is_layer_ready(path):
                    _make(path, what, install, lock, reporter)
        except OSError as error:
            raise storage_error(error, path) from error
    return path


def _make(path: Path, what: str, install: Callable[[Path, int], list[str]], lock: int, reporter: Reporter) -> None:
    reporter.note(f"installing {what}, once for all that ask for the same")
    try:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        said = " ".join(install(path, lock)) or "nothing that the engine does not have"
        write_whole(path / NOTE, said.encode())
    finally:
        if not is_layer_ready(path):
            shutil.rmtree(path, ignore_errors=True)
    reporter.note(f"installed {said}")
