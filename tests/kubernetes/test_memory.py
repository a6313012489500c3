"""An hour of following takes no more memory than its first minutes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("what", ["log", "watch"])
def test_an_hour(what: str, tmp_path: Path) -> None:
    # In a Python of its own: what other tests have left running would be counted, and take its time.
    command = [sys.executable, "-m", "tests.kubernetes.memory", what, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
