"""A real MLflow in an environment of its own, and a job that has measured something."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.config import cache_dir
from orchestrator.locks import take
from orchestrator.metrics.table import Series, Table, point
from orchestrator.ports import HERE, free_ports
from orchestrator.store.records import write
from tests.jobs.conftest import Project, project

__all__ = ["Project", "project"]

ROOT = Path(__file__).parents[2]
PATIENCE = 300.0  # seconds that a busy machine may take to start MLflow's server

# Says all that is in a tracking server, by MLflow's own client.
LOOK = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1], registry_uri=sys.argv[1])
found = []
experiments = [one.experiment_id for one in client.search_experiments()]
for run in client.search_runs(experiments, order_by=["tags.`mlctl.version`"]):
    names = list(run.data.metrics)
    curves = {name: client.get_metric_history(run.info.run_id, name) for name in names}
    found.append({
        "id": run.info.run_id,
        "experiment": client.get_experiment(run.info.experiment_id).name,
        "name": run.info.run_name,
        "state": run.info.status,
        "started": run.info.start_time,
        "ended": run.info.end_time,
        "parameters": run.data.params,
        "tags": run.data.tags,
        "curves": {name: [[p.step, p.timestamp, str(p.value)] for p in curve] for name, curve in curves.items()},
        "files": [f.path for f in client.list_artifacts(run.info.run_id)],
        "output": [f.path for f in client.list_artifacts(run.info.run_id, "output")],
        "log": open(client.download_artifacts(run.info.run_id, "log.txt")).read() if "log" in sys.argv else "",
    })
models = [{"name": m.name, "version": m.version, "run": m.run_id, "tags": m.tags, "source": m.source}
          for m in client.search_model_versions()]
print(json.dumps({"runs": found, "models": models}))
"""


class MLflow:
    """An environment with MLflow and what mlctl needs; mlctl itself is that of this folder.

    Args:
        python: Of the environment.
    """

    def __init__(self, python: Path) -> None:
        self.python = python
        self.environment = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program of that Python."""
        environment = os.environ | self.environment | {"PYTHONPATH": str(ROOT)}
        command = [str(self.python), *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)

    def export(self, *arguments: str) -> list[dict]:
        """Run `mlctl job export`; return what it says."""
        done = self.run("-m", "orchestrator", "job", "export", "--to", "mlflow", *arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def look(self, uri: str, *, log: bool = False) -> dict:
        """Return all that is there."""
        done = self.run("-c", LOOK, uri, *(["log"] if log else []))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="session")
def mlflow() -> MLflow:
    """Give MLflow, installed once."""
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*needs["dependencies"], *needs["optional-dependencies"]["mlflow"], "mlflow"]
    folder = cache_dir() / "test-mlflow"
    python, complete = folder / "bin" / "python", folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    while (lock := take(folder.with_suffix(".lock"))) is None:
        time.sleep(1)
    try:
        if not complete.exists() or complete.read_text() != repr(needed):
            shutil.rmtree(folder, ignore_errors=True)
            uv = [sys.executable, "-m", "uv", "-q"]
            subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
            subprocess.run([*uv, "pip", "install", "--python", python, *needed], check=True)
            complete.write_text(repr(needed))
    finally:
        os.close(lock)
    return MLflow(python)


@pytest.fixture
def server(mlflow, tmp_path) -> Iterator[str]:
    """Give the URL of a real server, with a database and artifacts of its own."""
    port, log = free_ports(1)[0], tmp_path / "mlflow.log"
    program = [mlflow.python.with_name("mlflow"), "server", "--host", HERE, "--port", str(port), "--workers", "1"]
    places = [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/server.db",
        "--artifacts-destination",
        tmp_path / "artifacts",
    ]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*program, *places],
            stdout=stream,
            stderr=stream,
            env=os.environ | mlflow.environment | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            start_new_session=True,
            cwd=tmp_path,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not answers(f"http://{HERE}:{port}/health"):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield f"http://{HERE}:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(params=["server", "folder", "database"])
def tracking(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URI of an empty MLflow, of each kind in turn."""
    if request.param == "server":
        return request.getfixturevalue("server")
    return str(tmp_path / "mlruns") if request.param == "folder" else f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def measured(project: Project) -> Callable[..., None]:
    """Give a function that has a version of `demo` measure something."""

    def measure(version: str, **curves: list[float]) -> None:
        series = []
        for name, values in curves.items():
            first = point(0, 0, values[0])
            one = Series(name=name, source="log", goal="minimize", guessed=True, best=first, last=first)
            for step, value in enumerate(values):
                one.extend([step], 100.5 + step, [value])
            series.append(one)
        write(project.client.store, f"jobs/demo/{version}/metrics.json", Table(series=series))

    return measure
