"""Builds one engine environment: finds a Python, makes a virtual environment, installs the lock file."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import msgspec

from orchestrator.engines.catalog import Engine
from orchestrator.engines.uv import EngineBuildError, Outcome, run, run_uv
from orchestrator.errors import MlctlError, PermissionDeniedError
from orchestrator.progress import Bar, Reporter

PYTHONS = Path(__file__).parent / "pythons.json"  # the entries for 3.7 of uv 0.6's list, which names no hashes

_RESOLVED = re.compile(r"Resolved (\d+) packages?")
_STARTED = re.compile(r"\s*(Downloading|Building) (\S+)(?: \(([\d.]+)(\w+)\))?$")
_FINISHED = re.compile(r"\s*(Downloaded|Built) ")
_INSTALLED = re.compile(r"Installed \d+ packages?")


class _Progress:
    """Turns uv's lines into a bar that counts packages, and a note for each that takes time."""

    def __init__(self, engine: Engine, reporter: Reporter, stack: ExitStack) -> None:
        self._label = f"installing {engine.name}"
        self._reporter = reporter
        self._stack = stack
        self._bar: Bar | None = None
        self._left = 0

    def line(self, line: str) -> None:
        """Take the next line."""
        if match := _RESOLVED.match(line):
            self._left = int(match[1])
            self._bar = self._stack.enter_context(self._reporter.bar(self._label, total=self._left, unit="steps"))
        elif match := _STARTED.match(line):
            size = f" ({match[3]} {match[4]})" if match[3] else ""
            self._reporter.note(f"{match[1].lower()} {match[2]}{size}")
        elif _FINISHED.match(line):
            self._advance(1)
        elif _INSTALLED.match(line):
            self._advance(self._left)

    def _advance(self, steps: int) -> None:
        steps = min(steps, self._left)
        self._left -= steps
        if self._bar is not None:
            self._bar.advance(steps)


def build(engine: Engine, path: Path, *, lock: int, reporter: Reporter) -> str:
    """Build the environment at `path`, which does not exist yet.

    Args:
        engine: What to build.
        path: The environment's folder.
        lock: Descriptor of the locked file, see `run_uv`.
        reporter: Told of downloads and progress.

    Returns:
        The version of the Python that was used, as in `3.11`.

    Raises:
        EngineBuildError: No accepted Python, no network, disk full, packages that cannot be had, or
            that do not work here.
        PermissionDeniedError: A folder cannot be written.
    """
    with ExitStack() as stack:
        progress = _Progress(engine, reporter, stack)
        uv = partial(run_uv, directory=path.parent, lock=lock, on_line=progress.line)
        version = _make_venv(engine, path, uv)
        install = ["pip", "install", "--python", str(path / "bin" / "python"), "-r", str(engine.requirements_path)]
        outcome = uv(install)
        backend = engine.local.torch_backend
        if outcome.code != 0 and outcome.fault == "unsatisfiable" and backend:
            outcome = uv([*install, "--torch-backend", backend])
    if outcome.code != 0:
        raise _install_error(engine, path, outcome)
    _check(engine, path, lock)
    return version


def _check(engine: Engine, path: Path, lock: int) -> None:
    """Find out now, and not in the middle of a job, whether the system lacks something that the engine needs."""
    if engine.local.check:
        command = [str(path / "bin" / "python"), "-I", "-c", engine.local.check]
        outcome = run(command, environment=engine.env, lock=lock)
        if outcome.code != 0:
            raise EngineBuildError(
                f"engine {engine.name} is installed, but does not work on this machine: "
                f"{outcome.lines[-1] if outcome.lines else f'exit code {outcome.code}'}",
                hint=engine.local.check_hint or f"run the job in the engine's container image ({engine.images.cpu})",
            )


def _make_venv(engine: Engine, path: Path, uv: Callable[..., Outcome]) -> str:
    """Make the empty environment with the first accepted Python there is, else with one that uv fetches."""
    version, interpreter = _find_python(engine, uv)
    if interpreter:
        outcome = uv(["venv", "--no-project", "--python", interpreter, str(path)])
    else:  # it must not look here again: it ends at the first that cannot be asked for its version
        fetched = ["venv", "--no-project", "--managed-python", "--python", version, str(path)]
        outcome = uv(fetched, environment=_list_of_pythons(version))
    if outcome.code == 0:
        return version
    if outcome.fault in ("disk full", "read-only"):
        raise uv_storage_error(path, outcome)
    if interpreter:
        raise EngineBuildError(f"engine {engine.name}: uv cannot use {interpreter}: {outcome.reason}")
    raise EngineBuildError(
        f"engine {engine.name} needs Python {_either(engine.python)}; none is installed here, and fetching one failed: "
        f"{outcome.reason}",
        hint=f"install Python {version} (your system's packages, pyenv, conda), "
        f"or run the job in the engine's container image ({engine.images.cpu}), which has its own",
    )


def _list_of_pythons(version: str) -> dict[str, str]:
    """Return the setting that lets uv fetch a Python which its own list has no more (3.7 since uv 0.7)."""
    setting = "UV_PYTHON_DOWNLOADS_JSON_URL"
    known = any(name.startswith(f"cpython-{version}.") for name in msgspec.json.decode(PYTHONS.read_bytes()))
    return {setting: str(PYTHONS)} if known and setting not in os.environ else {}


def python_here(engine: Engine) -> str:
    """Return the path of the Python on this machine that the engine would be built with; empty if there is none.

    Raises:
        EngineBuildError: uv itself is missing.
        UsageError: The user's pip settings are malformed.
    """
    with Path(os.devnull).open() as nothing:  # there is nothing to lock
        return _find_python(engine, partial(run_uv, directory=Path(engine.folder), lock=nothing.fileno()))[1]


def _find_python(engine: Engine, uv: Callable[[Sequence[str]], Outcome]) -> tuple[str, str]:
    """Return version and path of the first accepted Python on this machine; if there is none, no path."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    ordinary = sys.implementation.name == "cpython" and not sys.abiflags  # not free-threaded, no debug build
    for version in engine.python:
        if version == running and ordinary:
            return version, sys.executable  # it need not be on the PATH
        outcome = uv(["python", "find", "--no-python-downloads", version])
        if outcome.code == 0 and outcome.lines:
            return version, outcome.lines[-1]
        if found := _pyenv_python(version):
            return version, str(found)
    return engine.python[0], ""


def _pyenv_python(version: str) -> Path | None:
    """Return pyenv's newest Python of that version. On the PATH, where uv looks, pyenv has its global one only."""
    released = re.compile(rf"{re.escape(version)}\.(\d+)")
    found = {
        int(match[1]): python
        for root in _pyenv_roots()
        for python in root.glob(f"versions/{version}.*/bin/python{version}")
        if (match := released.fullmatch(python.parents[1].name))
    }
    return found[max(found)] if found else None


def _pyenv_roots() -> list[Path]:
    """Return where pyenv may be: as it is set, in the home directory, and around its programs on the PATH."""
    roots = [
        folder.parent for name in os.environ.get("PATH", "").split(os.pathsep) if (folder := Path(name)).name == "shims"
    ]
    with suppress(RuntimeError):  # no home directory
        roots.append(Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser())
    return roots


def _install_error(engine: Engine, path: Path, outcome: Outcome) -> MlctlError:
    if outcome.fault in ("disk full", "read-only"):
        return uv_storage_error(path, outcome)
    if outcome.fault == "network":
        return EngineBuildError(
            f"engine {engine.name}: its packages cannot be downloaded: {outcome.reason}",
            hint="check the network and proxy; a package mirror set for pip (PIP_INDEX_URL, pip.conf) is used too",
        )
    if outcome.fault == "unsatisfiable":
        return EngineBuildError(
            f"engine {engine.name}: the package index does not have what {engine.requirements_path} locks: "
            f"{outcome.reason}",
            hint="check the index that pip is set to use (pip config list), "
            f"or run the job in the engine's container image ({engine.images.cpu})",
        )
    return EngineBuildError(
        f"engine {engine.name}: its environment cannot be built: {outcome.reason}",
        hint=f"mlctl engine get {engine.name} shows what it is made of; after a repair, run the same command again",
    )


def uv_storage_error(path: Path, outcome: Outcome) -> MlctlError:
    """Return what to say of a disk that uv could not write."""
    if outcome.fault == "disk full":
        return EngineBuildError(
            f"the disk is full: {outcome.reason}",
            hint=f"free space for {path.parent} (MLCTL_CACHE moves it) and uv's cache (uv cache clean)",
        )
    return PermissionDeniedError(
        f"cannot write {path} or uv's cache: {outcome.reason}",
        hint="name writable folders: export MLCTL_CACHE=/some/folder UV_CACHE_DIR=/another/folder",
    )


def _either(versions: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(versions[:-1]), versions[-1])))
