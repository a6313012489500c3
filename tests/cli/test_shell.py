"""mlctl job shell, mlctl top."""

import json

import pytest

from tests.cli.conftest import FOREVER


@pytest.fixture
def running(spec, project, mlctl):
    project.script(FOREVER)
    assert mlctl("job", "create", spec).returncode == 0
    project.wait_for_log(project.client.jobs.get("demo"), b"started")
    yield
    project.client.jobs.cancel("demo")


def test_a_command_and_a_shell(running, mlctl, monkeypatch):
    done = mlctl("job", "shell", "demo", "--", "sh", "-c", "pwd; exit 7")
    assert done.returncode == 7 and done.stdout.endswith("/work/user-job-dir\n")
    last = mlctl("job", "shell", "--", "printenv", "DLS_JOB_ID")
    assert last.returncode == 0 and last.stdout
    monkeypatch.setenv("SHELL", "/bin/sh")
    assert mlctl("job", "shell", "demo", stdin=None, input="echo in the shell\n").stdout == "in the shell\n"
    wrong = mlctl("job", "shell", "demo", "ls")
    assert wrong.returncode == 2 and "mlctl job shell demo -- ls" in wrong.stderr
    assert mlctl("job", "shell", "demo", "--", "no-such-program").returncode == 4
    assert mlctl("job", "shell", "demo", "--worker", "1").returncode == 5
    shown = mlctl("top")
    assert shown.stdout.split()[:6] == ["JOB", "RUNS", "NODES", "CPUS", "MEMORY", "GPUS"]
    (document,) = json.loads(mlctl("top", "-o", "json").stdout)
    assert document["name"] == "demo" and document["usage"]["memory"] > 0


def test_nothing_runs(mlctl):
    done = mlctl("top")
    assert (done.returncode, done.stdout) == (0, "") and "nothing runs here" in done.stderr
