"""What takes room, and freeing it, from the command line."""

import json
import os
import re
import time

import pytest

from tests.cli.conftest import end
from tests.cli.test_dataset import pushed

__all__ = ["pushed"]

AGED = time.time() - 200_000


@pytest.fixture
def garbage(pushed, mlctl, home, tmp_path):
    """Give a store with a version, and packs of a deleted one that are two days old."""
    (tmp_path / "pictures" / "4.png").write_bytes(b"4" * 500)
    assert mlctl("dataset", "push", "pictures", "--name", "pictures", "--layout", "packed").returncode == 0
    assert mlctl("dataset", "delete", "pictures/v2").stdout == "pictures/V0002 deleted\n"
    for path in (home / "store").rglob("*"):
        os.utime(path, (AGED, AGED))
    return home / "store" / "datasets" / "pictures" / "packs"


def test_du(garbage, mlctl):
    done = mlctl("store", "du")
    assert done.returncode == 0
    assert re.search(r"^dataset +pictures/V0001 +files +6 +", done.stdout, re.MULTILINE)
    assert re.search(r"^garbage +pack +1 +\d", done.stdout, re.MULTILINE)
    assert re.search(r"^in all: 8 objects, ", done.stderr, re.MULTILINE)
    assert done.stderr.endswith("next: mlctl store gc --dry-run\n")
    rows = json.loads(mlctl("store", "du", "-o", "json").stdout)
    assert {"kind": "garbage", "name": "", "what": "pack", "objects": 1}.items() <= rows[-1].items()


def test_gc_tells_what_it_would_delete_and_why(garbage, mlctl):
    done = mlctl("store", "gc", "--dry-run")
    assert done.returncode == 0
    assert re.search(
        r"^pack +1 +\S+ kB +2d ago +no version of pictures refers to it +datasets/pictures/packs/\w+.tar$",
        done.stdout,
        re.M,
    )
    assert "would be deleted: 1 object, " in done.stderr
    assert len(list(garbage.iterdir())) == 1
    assert mlctl("store", "gc", "--dry-run", "--older-than", "7d").stderr == "no garbage older than 7d\n"
    refused = mlctl("store", "gc", "--older-than", "5m")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "hint: --older-than 1h, or more" in refused.stderr


def test_gc_deletes(garbage, mlctl):
    (one,) = json.loads(mlctl("store", "gc", "--yes", "-o", "json").stdout)
    assert (one["kind"], one["objects"]) == ("pack", 1)
    assert not garbage.exists()
    assert mlctl("dataset", "verify", "pictures").returncode == 0
    assert mlctl("store", "gc").stderr == "no garbage older than 1d\n"


@pytest.mark.parametrize("answer, code, left", [("n\n", 130, 1), ("y\n", 0, 0)])
def test_gc_asks_on_a_terminal(answer, code, left, garbage, terminal):
    with terminal("store", "gc") as process:
        process.expect_exact("[y/N] ")
        assert "no version of pictures" in process.before
        process.send(answer)
        assert end(process)[0] == code
    assert garbage.exists() == left


def test_a_version_that_a_job_has_read_is_deleted_by_force_only(pushed, mlctl, project, monkeypatch):
    monkeypatch.chdir(project.folder)
    project.run(data="dataset://pictures")
    refused = mlctl("dataset", "delete", "pictures", "-v", "1")
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "pictures/V0001 is the data of demo/V0001" in refused.stderr and "--force" in refused.stderr
    assert mlctl("dataset", "delete", "pictures", "--force").stdout == "pictures/V0001 deleted\n"
    assert mlctl("dataset", "list", "-o", "name").stdout == ""
    assert mlctl("dataset", "delete", "pictures").returncode == 4


def test_delete_asks_on_a_terminal(pushed, mlctl, terminal):
    with terminal("dataset", "delete", "pictures") as process:
        process.expect_exact("Delete all versions of pictures? [y/N] ")
        process.send("\n")
        assert end(process)[0] == 130
    assert mlctl("dataset", "list", "-o", "name").stdout == "pictures\n"
