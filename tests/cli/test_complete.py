"""Completion, asked for as the shells do."""

import os
import subprocess
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import MLCTL, TIMEOUT


@pytest.fixture
def offers(mlctl):
    """Give a function that completes the last word of a line, as bash does."""

    def complete(line: str) -> list[str]:
        words = line.split(" ")
        asked = {"_MLCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        done = mlctl(env={**os.environ, **asked})
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return [word for word in done.stdout.splitlines() if word]

    return complete


@pytest.fixture
def things(spec, mlctl, tmp_path):
    for name in ("demo", "other"):
        assert mlctl("job", "create", spec, "--set", f"name={name}", "--wait").returncode == 0
    assert mlctl("job", "create", spec, "--wait").returncode == 0
    assert mlctl("dataset", "push", "code", "--name", "scripts").returncode == 0
    assert mlctl("context", "add", "elsewhere", "--store", (tmp_path / "elsewhere").as_uri()).returncode == 0


def test_words(offers):
    assert offers("mlctl jo") == ["job"]
    assert offers("mlctl job c") == ["create", "compare", "cancel"]
    assert offers("mlctl logs --fo") == ["--follow"]
    assert offers("mlctl job list -o j") == ["json"]


def test_names_and_versions(things, offers):
    for command in ("logs", "job logs", "job get", "job list", "job wait", "job cancel", "job delete", "job outputs"):
        assert offers(f"mlctl {command} ") == ["demo", "other"], command
    assert offers("mlctl job get de") == ["demo"]
    assert offers("mlctl job get demo -v ") == ["V0002", "V0001"]
    assert offers("mlctl logs -v ") == ["V0002", "V0001"]
    assert offers("mlctl job get other --version V") == ["V0001"]
    for command in ("get", "versions", "pull", "verify"):
        assert offers(f"mlctl dataset {command} ") == ["scripts"]
    assert offers("mlctl dataset get scripts -v ") == ["V0001"]
    assert offers("mlctl dataset import ") == ["digits", "fashion-mnist", "mnist"]
    assert offers("mlctl engine get mx") == ["mxnet-1.9"]
    assert offers("mlctl context use ") == ["elsewhere", "local"]


def test_the_context_of_the_line_counts(things, offers):
    assert offers("mlctl job list -c e") == ["elsewhere"]
    assert offers("mlctl -c elsewhere job get ") == []
    assert offers("mlctl job get -c elsewhere ") == []
    assert offers("mlctl -c elsewhere job get -c local ") == ["demo", "other"]


def test_it_never_disturbs(things, offers, home, monkeypatch):
    assert offers("mlctl -c nope job get ") == []
    assert offers("mlctl job get nope -v ") == []
    (home / "config.json").write_text("{")
    assert offers("mlctl job get ") == []
    assert offers("mlctl context use ") == []
    monkeypatch.setenv("MLCTL_HOME", "/proc/nowhere")
    assert offers("mlctl job get ") == []
    monkeypatch.setenv("MLCTL_ENGINES", "/proc/nowhere")
    assert offers("mlctl engine get no") == []


def test_the_other_shells_get_descriptions(things, mlctl):
    asked = {"_MLCTL_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "mlctl job get d"}
    assert '"demo":"job"' in mlctl(env={**os.environ, **asked}).stdout
    asked |= {"_MLCTL_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert mlctl(env={**os.environ, **asked}).stdout == "demo\tjob\n"


def test_in_a_real_bash(things, tmp_path):
    script = subprocess.run(
        [MLCTL], env={**os.environ, "_MLCTL_COMPLETE": "source_bash"}, capture_output=True, text=True
    ).stdout
    (tmp_path / "rc").write_text(f"PATH={Path(MLCTL).parent}:$PATH\nPS1='> '\n{script}\n")
    bash = pexpect.spawn(
        "bash", ["--rcfile", str(tmp_path / "rc"), "-i"], encoding="utf-8", timeout=TIMEOUT, env=dict(os.environ)
    )
    bash.expect_exact("> ")
    bash.send("mlctl job get oth\t")
    bash.expect_exact("oth")
    bash.expect_exact("er ")
    bash.send("\x03exit\n")
    bash.close()
