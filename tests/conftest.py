"""Every test runs in a home of its own; the cache of engine environments and downloads is shared."""

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
