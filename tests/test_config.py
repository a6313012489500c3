"""Homes and contexts, also where there is no home."""

import os
import subprocess
import sys

import pytest

from orchestrator import config
from orchestrator.errors import ConflictError, NotFoundError, PermissionDeniedError, UsageError


def test_the_embedded_context_is_there_without_any_file(home):
    assert [context.name for context in config.list_contexts()] == ["local"]
    assert config.get_context().store == (home / "store").as_uri()


def test_contexts_are_added_chosen_and_found(monkeypatch):
    config.add_context(config.Context(name="lab", store="file:///data/lab"))
    assert config.get_context().name == "local"
    config.use_context("lab")
    assert config.get_context().store == "file:///data/lab"
    monkeypatch.setenv("MLCTL_CONTEXT", "local")
    assert config.get_context().name == "local"
    config.add_context(config.Context(name="lab", store="file:///data/lab"))  # the same again is no error
    with pytest.raises(ConflictError, match="file:///data/lab"):
        config.add_context(config.Context(name="lab", store="file:///other"))
    with pytest.raises(NotFoundError, match="known: lab, local"):
        config.get_context("lap")


@pytest.mark.parametrize(
    "text", ["{", '{"contexts": 7}', '{"current": "x", "what": 1}', "\x00", "", '{"contexts": {"a": {"b": "c"}}}']
)
def test_a_broken_file_is_named(home, text):
    home.mkdir()
    (home / "config.json").write_text(text)
    with pytest.raises(UsageError, match=r"config\.json"):
        config.list_contexts()


def test_a_home_below_a_file_cannot_be_used(home, monkeypatch):
    home.write_text("a file")
    monkeypatch.setenv("MLCTL_HOME", str(home / "below"))
    with pytest.raises(PermissionDeniedError, match="Not a directory"):
        config.get_context()
    with pytest.raises(PermissionDeniedError, match="Not a directory"):
        config.machine_id()


@pytest.mark.skipif(os.getuid() != 0, reason="takes root, to become a user that does not exist")
def test_a_user_without_a_home_is_told_what_to_set():
    # What it needs is imported before: the new user may not be allowed to read this Python.
    source = "import os, pwd, platformdirs; from orchestrator import config; os.setuid(54321); config.home_dir()"
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True)
    assert "UsageError: this user has no home directory" in done.stderr


def test_the_machine_id_stays():
    assert config.machine_id() == config.machine_id()
    assert len(config.machine_id()) == 16
