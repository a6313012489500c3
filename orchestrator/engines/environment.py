"""The local form of an engine: a Python environment, built once with `uv` and shared by all jobs.

It lives at `<cache>/engines/<name>-<hash>`, where the hash covers everything it is built from. A marker
file is written last: a folder without it was never finished, and is built anew.
"""

import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

import msgspec

from orchestrator.config import cache_dir
from orchestrator.engines.build import build
from orchestrator.engines.catalog import Engine
from orchestrator.engines.making import locked, storage_error
from orchestrator.errors import PermissionDeniedError
from orchestrator.files import write_whole
from orchestrator.progress import SILENT, Reporter

LAYOUT = 1  # part of the hash: raise it when environments are built in a new way
HASH_LENGTH = 12  # hex digits
MARKER = ".mlctl-ready.json"
MEGABYTE = 1_000_000  # bytes


class EnvironmentState(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of an engine on this machine.

    Attributes:
        ready: Whether a job could start in it at once.
        path: Where it is, or will be.
        python: Version it was built with, as in `3.11`; empty if not ready.
        size: Bytes; 0 if not ready.
    """

    ready: bool
    path: str
    python: str = ""
    size: int = 0


class _Marker(msgspec.Struct, frozen=True, kw_only=True):
    python: str
    size: int


def environment_path(engine: Engine) -> Path:
    """Return the folder of the engine's environment, whether it exists or not.

    Raises:
        UsageError: There is no home directory, see `config.cache_dir`.
        PermissionDeniedError: The lock file cannot be read.
    """
    parts = [
        str(LAYOUT),
        sys.platform,
        os.uname().machine,
        " ".join(engine.python),
        engine.local.torch_backend,
    ]
    try:
        digest = hashlib.sha256("\n".join(parts).encode() + b"\0" + engine.requirements_path.read_bytes())
    except OSError as error:
        raise PermissionDeniedError(
            f"cannot read {engine.requirements_path}: {error.strerror}", hint="check its owner and mode"
        ) from error
    return cache_dir() / "engines" / f"{engine.name}-{digest.hexdigest()[:HASH_LENGTH]}"


def environment_state(engine: Engine) -> EnvironmentState:
    """Return whether the engine's environment is ready, without building it."""
    path = environment_path(engine)
    if marker := _read_marker(path):
        return EnvironmentState(ready=True, path=str(path), python=marker.python, size=marker.size)
    return EnvironmentState(ready=False, path=str(path))


def ensure_environment(engine: Engine, *, reporter: Reporter = SILENT) -> Path:
    """Build the engine's environment if there is none yet.

    Of several processes that ask at once, one builds and the others wait. When it is ready, this
    starts no process and takes no lock.

    Returns:
        The path of its Python interpreter.

    Raises:
        EngineBuildError: No accepted Python, no network, disk full, or packages that cannot be had.
        PermissionDeniedError: The cache cannot be written.
    """
    path = environment_path(engine)
    if _read_marker(path) is None:
        try:
            with locked(path, f"engine {engine.name}", reporter) as lock:
                if _read_marker(path) is None:
                    _build(engine, path, lock, reporter)
        except OSError as error:
            raise storage_error(error, path) from error
    return _python(path)


def _build(engine: Engine, path: Path, lock: int, reporter: Reporter) -> None:
    started = time.monotonic()
    reporter.note(f"building the environment of engine {engine.name}, once for all jobs")
    try:
        if path.exists():
            shutil.rmtree(path)
        version = build(engine, path, lock=lock, reporter=reporter)
        size = sum(entry.lstat().st_size for entry in path.rglob("*"))
        write_whole(path / MARKER, msgspec.json.encode(_Marker(python=version, size=size)))
    finally:
        if not (path / MARKER).exists():
            shutil.rmtree(path, ignore_errors=True)
    seconds = time.monotonic() - started
    reporter.note(
        f"engine {engine.name} is ready: Python {version}, {size / MEGABYTE:.0f} MB, built in {seconds:.0f} s"
    )


def _python(path: Path) -> Path:
    return path / "bin" / "python"


def _read_marker(path: Path) -> _Marker | None:
    """Return what the marker says; None if the environment was never finished, or has lost its Python."""
    try:
        marker = msgspec.json.decode((path / MARKER).read_bytes(), type=_Marker)
    except (OSError, msgspec.DecodeError):
        return None
    return marker if _python(path).exists() else None
