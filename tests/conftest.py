"""Every test runs in a home of its own; the cache of engine environments and downloads is shared."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator import config


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test its own MLCTL_HOME."""
    monkeypatch.setenv("MLCTL_CACHE", str(config.cache_dir()))
    monkeypatch.setenv("MLCTL_HOME", str(tmp_path / "mlctl-home"))
    monkeypatch.delenv("MLCTL_CONTEXT", raising=False)
    return tmp_path / "mlctl-home"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Give a function that mounts a file system of its own in memory, with mount options such as `size=1m` or `ro`."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"a file system cannot be mounted here: {made.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)
