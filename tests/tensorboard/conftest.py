"""Jobs that write event files, and the real program that shows them."""

import http.client
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.conftest import MLCTL, Run, mlctl
from tests.jobs.conftest import Project, project
from tests.tensorboard.events import header, losses
from tests.waiting import wait_until

__all__ = ["Project", "Run", "mlctl", "project"]

# A first part of the events at once, the second when it is wanted, and the end when that is.
WRITER = """
    here = {folder!r}
    while not os.path.exists(os.path.join(here, "first")): time.sleep(0.05)
    with open(os.path.join(train_url, "events.out.tfevents.1.host"), "ab") as file:
        for part in ("first", "second"):
            while not os.path.exists(os.path.join(here, part)): time.sleep(0.05)
            file.write(open(os.path.join(here, part), "rb").read())
            file.flush()
            print(part, flush=True)
    while not os.path.exists(os.path.join(here, "end")): time.sleep(0.05)
"""


class Shown:
    """`mlctl tensorboard`, as a process."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [MLCTL, "tensorboard", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"BROWSER": "false"},
        )
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise AssertionError(self.process.stderr.read())

    def get(self, path: str):
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        return json.loads(answer.read()) if answer.status == 200 else None

    def steps(self, run: str) -> list[int]:
        points = self.get(f"data/plugin/scalars/scalars?run={run}&tag=loss")
        return [step for _, step, _ in points or []]

    def end(self) -> tuple[int, str]:
        """End it as Ctrl-C does; return exit code and what it has said."""
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@pytest.fixture
def control(tmp_path: Path, project: Project) -> Path:
    """Make the job write events; give the folder of what it is told."""
    folder = tmp_path / "control"
    folder.mkdir()
    (folder / "first").write_bytes(header() + losses(0, 10))
    project.script(WRITER.format(folder=str(folder)))
    return folder


@pytest.fixture
def open_board(mlctl: Run) -> Iterator:
    """Give a function that starts `mlctl tensorboard`; what is left of it is killed in the end."""
    opened: list[Shown] = []

    def start(*arguments: str | Path) -> Shown:
        opened.append(Shown(*arguments))
        return opened[-1]

    yield start
    for shown in opened:
        shown.process.kill()
        shown.process.communicate()
    wait_until(lambda: not boards())


def boards() -> list[int]:
    """Return the processes of TensorBoard that belong to this test's home."""
    mark = f"{os.environ['MLCTL_HOME']}/tensorboard".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            if mark in (folder / "cmdline").read_bytes() and state not in "ZX":
                found.append(int(folder.name))
        except OSError:
            continue
    return found
