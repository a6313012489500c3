"""Real sweeps of real jobs that take milliseconds."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.config import home_dir
from orchestrator.locks import is_held
from orchestrator.sweeps.record import TrialState
from orchestrator.sweeps.view import SweepView
from tests.jobs.conftest import Project, project
from tests.waiting import wait_until

__all__ = ["Project", "project"]

SCRIPT = """
    import argparse, json
    parser = argparse.ArgumentParser()
    for name in ("data_url", "train_url", "kind"):
        parser.add_argument("--" + name)
    parser.add_argument("--rate", type=float, default=0.5)
    parser.add_argument("--steps", type=int, default=1)
    arguments = parser.parse_args()

    def measure(step, **values):
        with open(os.path.join(arguments.train_url, "metrics.jsonl"), "a") as file:
            file.write(json.dumps({"step": step, **values}) + "\\n")
"""
SCORE = "\nmeasure(1, accuracy=1 - (arguments.rate - 0.3) ** 2)\n"
SWEEP = {
    "name": "rates",
    "job": "job.yaml",
    "algorithm": "grid",
    "parameters": {"rate": [0.1, 0.2, 0.3, 0.4]},
    "objective": {"metric": "accuracy", "goal": "maximize"},
    "budget": {"parallel": 2},
}


class Sweeping:
    """A project with a sweep."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.client = project.client
        self.path = project.folder / "sweep.yaml"
        self.script(SCORE)

    def script(self, source: str) -> None:
        """Let the trials do this, with `arguments` and `measure(step, accuracy=...)`."""
        import textwrap

        self.project.script(textwrap.dedent(SCRIPT) + textwrap.dedent(source))

    def write(self, **fields) -> Path:
        self.project.write()
        self.path.write_text(yaml.safe_dump({**SWEEP, **fields}, sort_keys=False))
        return self.path

    def create(self, **fields) -> SweepView:
        return self.client.sweeps.create(self.write(**fields))

    def run(self, **fields) -> SweepView:
        self.create(**fields)
        return self.client.sweeps.wait("rates")

    def view(self) -> SweepView:
        return self.client.sweeps.get("rates")

    def wait_for_trials(self, number: int, state: TrialState = TrialState.RUNNING) -> SweepView:
        """Wait until so many trials are in a state, not only decided on."""
        wait_until(lambda: sum(one.state is state and bool(one.version) for one in self.view().trials) >= number)
        return self.view()

    def kill(self) -> None:
        """Kill the process that looks after it, as the system does."""
        for lock in (home_dir() / "sweeps").glob("*/lock"):
            while is_held(lock):
                with contextlib.suppress(ProcessLookupError):  # it ends, or its successor has not said who it is
                    if pid := lock.read_text():
                        os.kill(int(pid), signal.SIGKILL)


@pytest.fixture
def sweeping(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweeping]:
    monkeypatch.setenv("MLCTL_CPUS", "8")
    made = Sweeping(project)
    yield made
    made.kill()
