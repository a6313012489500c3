"""A look by another process shows what one's own would, whatever becomes of that process."""

import os
import signal
from pathlib import Path

import pytest

from orchestrator.errors import NotFoundError
from orchestrator.store.look import Look, LookAhead
from tests.store.trees import make_tree


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "data", {"a": "one", "b/ü": "two", "empty/": None, ".git/x": "three", "l": "three!"})


def test_it_sees_the_same(folder):
    alone = Look(folder)
    with LookAhead(folder) as ahead:
        assert ahead.summary == alone.summary
        assert ahead.scan == alone.scan
    with LookAhead(folder) as ahead:
        assert ahead.scan == alone.scan
    assert [found.path for found in alone.summary.largest] == ["l", "a", "b/ü"]
    assert [skipped.path for skipped in alone.summary.skipped] == [".git"]


def test_a_process_that_died_is_not_needed(folder):
    with LookAhead(folder) as ahead:
        os.kill(ahead._child, signal.SIGKILL)
        os.waitid(os.P_PID, ahead._child, os.WEXITED | os.WNOWAIT)
        assert (ahead.summary, ahead.scan) == (Look(folder).summary, Look(folder).scan)


def test_its_error_is_raised_here(tmp_path):
    with LookAhead(tmp_path / "nothing") as ahead, pytest.raises(NotFoundError, match="there is no folder"):
        _ = ahead.summary


def test_it_ends_with_whoever_asked(folder):
    with LookAhead(folder) as ahead:
        child = ahead._child
    with pytest.raises(ChildProcessError):
        os.waitpid(child, 0)
