"""The real program, in processes of its own, with and without a terminal."""

import atexit
import functools
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pexpect
import pytest

from tests.cli.forge import MLCTL, Forge
from tests.jobs.conftest import Project, project

__all__ = ["MLCTL", "Project", "project"]

TIMEOUT = 60  # seconds
WIDTH = 100  # columns of the terminal

TRAIN = """
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("--data_url")
    parser.add_argument("--train_url")
    parser.add_argument("--num_epochs", type=int, default=2)
    parser.add_argument("--fail", default="")
    arguments = parser.parse_args()
    for epoch in range(arguments.num_epochs):
        print(f"epoch {epoch}", flush=True)
    open(os.path.join(arguments.train_url, "model.bin"), "wb").write(b"x" * 1000)
    os.makedirs(os.path.join(arguments.train_url, "more"))
    open(os.path.join(arguments.train_url, "more", "names.txt"), "w").write("0 1 2")
    if arguments.fail:
        sys.exit(arguments.fail)
"""
FOREVER = "print('started', flush=True); time.sleep(600)"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@functools.cache
def forge() -> Forge:
    """Give the process from which commands are forked."""
    made = Forge()
    atexit.register(made.end)
    return made


@pytest.fixture
def mlctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give a function that runs mlctl without a terminal and returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run(*arguments: str | Path, **settings) -> "subprocess.CompletedProcess[str]":
        if settings.keys() <= {"env", "timeout"}:
            return forge().run([*map(str, arguments)], **({"env": os.environ, "timeout": TIMEOUT} | settings))
        command = [MLCTL, *map(str, arguments)]
        defaults = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": TIMEOUT}
        return subprocess.run(command, **(defaults | settings), check=False)

    return run


@pytest.fixture
def terminal(mlctl: Run):
    """Give a function that runs mlctl on a terminal; as a context manager it gives the process."""

    @contextmanager
    def run(*arguments: str | Path, **environment: str) -> Iterator[pexpect.spawn]:
        with closing(
            pexpect.spawn(
                MLCTL,
                list(map(str, arguments)),
                env={**os.environ, **environment},
                encoding="utf-8",
                codec_errors="replace",
                dimensions=(40, WIDTH),
                timeout=TIMEOUT,
            )
        ) as process:
            yield process

    return run


@pytest.fixture
def spec(project, mlctl, monkeypatch):
    monkeypatch.chdir(project.folder)
    project.script(TRAIN)
    project.write(parameters={"num_epochs": 2})
    return "job.yaml"


@pytest.fixture
def running(spec, project, mlctl):
    project.script(FOREVER)
    assert mlctl("job", "create", spec).returncode == 0
    project.wait_for_log(project.client.jobs.get("demo"), b"started")
    yield "demo"
    mlctl("job", "cancel", "demo")


def end(process: pexpect.spawn) -> tuple[int, str]:
    """Return the exit code of a process on a terminal, and what it still wrote."""
    process.expect(pexpect.EOF)
    process.close()
    return process.exitstatus, process.before
