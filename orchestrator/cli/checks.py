"""What `mlctl doctor` looks at, one function each; every one yields what it found."""

import os
import platform
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from orchestrator.backends.local.gpus import count_gpus
from orchestrator.cli.render import size
from orchestrator.config import cache_dir, get_context, home_dir
from orchestrator.engines import environment_state, list_engines, python_here
from orchestrator.errors import MlctlError, StoreError
from orchestrator.store import open_store
from orchestrator.store.base import AlreadyExistsError, ChangedError, Store

LOW_SPACE = 5_000_000_000  # bytes; an engine takes about one GB, and as much again while it is built
NO_SPACE = 50_000_000  # bytes; too little even for records and logs
SUPPORTED = ((3, 11), (3, 14))  # Python, from and below


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """One line of the report; `hint` says what to do about it."""

    level: Level
    subject: str
    message: str
    hint: str = ""


def findings(context: str | None) -> Iterator[Finding]:
    """Yield what all checks find; one that fails does not stop the others.

    Args:
        context: Whose store to check; None is the current one.
    """
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "Python": _python,
        "uv": _uv,
        "home": lambda: _folder("home", home_dir(), "MLCTL_HOME"),
        "cache": lambda: _folder("cache", cache_dir(), "MLCTL_CACHE"),
        "store": lambda: _store(context),
        "engines": _engines,
        "GPUs": _gpus,
    }
    for subject, check in checks.items():
        try:
            yield from check()
        except MlctlError as error:
            yield Finding(Level.FAIL, subject, error.message, error.hint)
        except OSError as error:
            yield Finding(Level.FAIL, subject, str(error))


def _python() -> Iterator[Finding]:
    lowest, beyond = SUPPORTED
    good = lowest <= sys.version_info[:2] < beyond
    hint = "" if good else "mlctl is tested on Python 3.11 to 3.13"
    yield Finding(Level.OK if good else Level.WARN, "Python", f"{platform.python_version()}, {sys.executable}", hint)


def _uv() -> Iterator[Finding]:
    import uv

    try:
        binary = uv.find_uv_bin()
        version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        yield Finding(Level.FAIL, "uv", f"does not run: {error}", "pip install --force-reinstall uv")
        return
    yield Finding(Level.OK, "uv", f"{version.split()[1]}, {binary}")


def _folder(subject: str, folder: Path, variable: str) -> Iterator[Finding]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".doctor-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        hint = f"name a writable folder: export {variable}=/some/folder"
        yield Finding(Level.FAIL, subject, f"{folder} is not writable: {error.strerror}", hint)
        return
    free = shutil.disk_usage(folder).free
    level = Level.FAIL if free < NO_SPACE else Level.WARN if free < LOW_SPACE else Level.OK
    hint = "" if level is Level.OK else f"free some, or export {variable}=/some/other/disk"
    yield Finding(level, subject, f"{folder} is writable, {size(free)} free", hint)


def _store(name: str | None) -> Iterator[Finding]:
    context = get_context(name)
    store = open_store(context.store, context.name)
    store.check_writable()
    _check_conditions(store)
    yield Finding(Level.OK, "store", f"{store.url} ({context.name}) is writable; conditional writes hold")


def _check_conditions(store: Store) -> None:
    """Prove that of two writers under the same condition only one succeeds. Raises StoreError."""
    key = f"doctor/{secrets.token_hex(8)}"
    try:
        first = store.put_if_absent(key, b"first")
        with suppress(AlreadyExistsError):
            store.put_if_absent(key, b"second")
            raise _unsafe(store, "created an object twice")
        store.put_if_unchanged(key, b"third", first)
        with suppress(ChangedError):
            store.put_if_unchanged(key, b"fourth", first)
            raise _unsafe(store, "replaced an object that had changed")
    finally:
        store.delete([key])


def _unsafe(store: Store, what: str) -> StoreError:
    return StoreError(f"{store.url} {what}", hint="mlctl needs conditional writes: use another store")


def _engines() -> Iterator[Finding]:
    for engine in list_engines():
        state = environment_state(engine)
        message, hint = f"ready, {size(state.size)}", ""
        if not state.ready:
            fetched = "" if python_here(engine) else f", with a Python {engine.python[0]} that is downloaded then"
            message, hint = f"built at its first job{fetched}", f"now: mlctl engine build {engine.name}"
        yield Finding(Level.OK, f"engine {engine.name}", message, hint)


def _gpus() -> Iterator[Finding]:
    number = count_gpus()
    yield Finding(Level.OK, "GPUs", str(number) if number else "none: jobs run on the CPUs")
