"""This machine: Python, uv, folders, engines, GPUs."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from orchestrator.amounts import size
from orchestrator.backends.local.gpus import count_gpus
from orchestrator.doctor.finding import Finding, Level
from orchestrator.engines import environment_state, list_engines, python_here

LOW_SPACE = 5_000_000_000  # bytes; an engine takes about one GB, and as much again while it is built
NO_SPACE = 50_000_000  # bytes; too little even for records and logs
SUPPORTED = ((3, 11), (3, 14))  # Python, from and below


def python() -> Iterator[Finding]:
    """Yield which Python runs mlctl."""
    lowest, beyond = SUPPORTED
    good = lowest <= sys.version_info[:2] < beyond
    hint = "" if good else "mlctl is tested on Python 3.11 to 3.13"
    yield Finding(Level.OK if good else Level.WARN, "Python", f"{platform.python_version()}, {sys.executable}", hint)


def uv() -> Iterator[Finding]:
    """Yield whether uv is there, which builds engines."""
    from uv import find_uv_bin

    try:
        binary = find_uv_bin()
        version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        yield Finding(Level.FAIL, "uv", f"does not run: {error}", "pip install --force-reinstall uv")
        return
    yield Finding(Level.OK, "uv", f"{version.split()[1]}, {binary}")


def folder(subject: str, path: Path, variable: str) -> Iterator[Finding]:
    """Yield whether a folder of mlctl's own can be written, and has room.

    Args:
        subject: What it is.
        path: Of it.
        variable: That moves it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".doctor-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        hint = f"name a writable folder: export {variable}=/some/folder"
        yield Finding(Level.FAIL, subject, f"{path} is not writable: {error.strerror}", hint)
        return
    free = shutil.disk_usage(path).free
    level = Level.FAIL if free < NO_SPACE else Level.WARN if free < LOW_SPACE else Level.OK
    hint = "" if level is Level.OK else f"free some, or export {variable}=/some/other/disk"
    yield Finding(level, subject, f"{path} is writable, {size(free)} free", hint)


def engines() -> Iterator[Finding]:
    """Yield which engines are built."""
    for engine in list_engines():
        state = environment_state(engine)
        message, hint = f"ready, {size(state.size)}", ""
        if not state.ready:
            fetched = "" if python_here(engine) else f", with a Python {engine.python[0]} that is downloaded then"
            message, hint = f"built at its first job{fetched}", f"now: mlctl engine build {engine.name}"
        yield Finding(Level.OK, f"engine {engine.name}", message, hint)


def gpus() -> Iterator[Finding]:
    """Yield how many GPUs this machine has."""
    number = count_gpus()
    yield Finding(Level.OK, "GPUs", str(number) if number else "none: jobs run on the CPUs")
