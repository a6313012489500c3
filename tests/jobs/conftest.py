"""Real jobs, quick ones: their engine is a bare Python, their scripts take milliseconds."""

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.backends.local.rundir import RunDir, all_runs, holder, is_looked_after
from orchestrator.client import Client
from orchestrator.jobs.view import JobView
from tests.waiting import SECONDS, wait_until

LONGEST = 300.0  # seconds that a job of no work may take on a busy machine
ENGINE = """\
name: plain-1
framework: Python
version: "1"
description: Nothing but Python.
python: ["3.11", "3.12", "3.13"]
images: {cpu: example/plain, gpu: example/plain}
"""


class Project:
    """A folder with a job spec and its code, and a client to run it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec = folder / "job.yaml"
        self.fields: dict = {"name": "demo", "engine": "plain-1", "code": "./code", "boot_file": "main.py"}
        (folder / "code").mkdir(parents=True)
        self.script("print('hello')")

    @property
    def client(self) -> Client:
        return Client()

    def script(self, source: str) -> None:
        """Give the job this script; it finds data_url, train_url and rest (a list) as variables."""
        header = (
            "import os, sys, time\n"
            "given = dict(a[2:].split('=', 1) for a in sys.argv[1:] if '=' in a)\n"
            "data_url, train_url = given.get('data_url', ''), given.get('train_url', '')\n"
        )
        (self.folder / "code" / "main.py").write_text(header + textwrap.dedent(source))

    def write(self, **fields) -> Path:
        self.fields |= fields
        self.spec.write_text(yaml.safe_dump(self.fields, sort_keys=False))
        return self.spec

    def create(self, **fields) -> JobView:
        return self.client.jobs.create(self.write(**fields))

    def run(self, **fields) -> JobView:
        """Create the job and wait for its end."""
        view = self.create(**fields)
        return self.client.jobs.wait(view.name, view.version, timeout=LONGEST)

    def log(self, view: JobView, **query) -> bytes:
        return b"".join(self.client.jobs.logs(view.name, view.version, **query))

    def wait_for_log(self, view: JobView, text: bytes) -> None:
        """Wait until the script has written this, and is said to run."""
        wait_until(lambda: text in self.log(view))
        wait_until(lambda: self.client.jobs.get(view.name, view.version).status.started)

    def wait_for_state(self, view: JobView, state: str) -> JobView:
        wait_until(lambda: self.client.jobs.get(view.name, view.version).status.state == state)
        return self.client.jobs.get(view.name, view.version)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    engine = tmp_path / "engines" / "plain-1"
    engine.mkdir(parents=True)
    (engine / "engine.yaml").write_text(ENGINE)
    (engine / "requirements.txt").write_text("")
    monkeypatch.setenv("MLCTL_ENGINES", str(engine.parent))
    monkeypatch.setenv("MLCTL_CPUS", "2")
    monkeypatch.setattr("orchestrator.jobs.jobs.CANCEL_WAIT", SECONDS)  # on a busy machine saving takes its time
    monkeypatch.chdir(tmp_path)
    yield Project(tmp_path / "project")
    for run in all_runs():  # what a failed test left
        if is_looked_after(run) and (pid := holder(run)):
            os.kill(pid, 9)


def processes_of(run_id: str) -> list[int]:
    """Return the pids of all processes that belong to a run: supervisor, guard, script."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + b"\0" + (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if run_id.encode() in text and state not in "ZX" and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def run_of(view: JobView) -> RunDir:
    return RunDir(view.record.run)
