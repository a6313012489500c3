"""The Pythons of this machine that guests may travel into."""

import functools
import shutil
import subprocess
import sys
from pathlib import Path

GUESTS = Path(__file__).parents[2] / "orchestrator" / "guest"
VERSIONS = ("2.7", *(f"3.{minor}" for minor in range(6, 14)))


@functools.cache
def python(version: str) -> str | None:
    """Return an interpreter of that version, or None."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    on_path = shutil.which(f"python{version}")
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for found in filter(None, [on_path, *map(str, installed)]):
        if subprocess.run([found, "-c", "import socket, json"], capture_output=True).returncode == 0:
            return found
    return None


def pythons(*versions: str) -> list[str]:
    """Return those of these versions that are here; always the newest of all, or the tests' own."""
    here = [version for version in versions or VERSIONS if python(version)]
    newest = next(version for version in reversed(VERSIONS) if python(version))
    return [*here, *([newest] if newest not in here else [])]
