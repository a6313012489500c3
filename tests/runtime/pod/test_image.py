"""The runtime image has all that it needs, and no more."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import msgspec
import pytest
from tensorboardX import SummaryWriter

from orchestrator.metrics.patterns import Measures
from orchestrator.models.models import Models
from orchestrator.serving.settings import Deployed, Settings, read_settings
from orchestrator.store import open_store
from tests.runtime.pod.conftest import WAIT, finish
from tests.store.trees import make_tree

ROOT = Path(__file__).parents[3]
IMAGE = ROOT / "images" / "runtime"


def test_the_requirements_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {line for line in (IMAGE / "requirements.in").read_text().splitlines() if not line.startswith("#")}
    assert wanted <= set(project["dependencies"])


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Give a folder with what the image has, and nothing else."""
    names = re.findall(r"^([a-z0-9-]+)==", (IMAGE / "requirements.txt").read_text(), re.M)
    packages = tmp_path / "packages"
    packages.mkdir()
    for name in dict.fromkeys(names):  # one may be locked twice, for two Pythons
        found = distribution(name)
        tops = {file.parts[0] for file in found.files or [] if not file.parts[0].startswith(("..", "__"))}
        for top in tops:
            (packages / top).symlink_to(Path(found.locate_file(top)))
    (packages / "orchestrator").symlink_to(ROOT / "orchestrator")
    return packages


def test_the_front_of_a_service_starts_with_the_requirements_alone(packages):
    modules = "orchestrator.serving.__main__, orchestrator.serving.fetch, orchestrator.serving.rpc.server"
    command = [sys.executable, "-S", "-P", "-c", f"import {modules}"]
    done = subprocess.run(command, env={"PYTHONPATH": str(packages)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_a_service_needs_is_fetched_with_the_requirements_alone(packages, tmp_path):
    store = open_store((tmp_path / "store").as_uri())
    asked = [{"installer": "pip", "packages": [{"package_name": "beta", "package_version": "1"}]}]
    config = {"model_algorithm": "echo", "model_type": "Custom", "dependencies": asked}
    package = make_tree(tmp_path / "package", {"config.json": json.dumps(config)})
    Models(store, author="me").import_(str(package), "echo")
    shared = tmp_path / "shared"
    settings = Settings(name="echo", models=(Deployed(model="echo", number=1, folder=str(shared / "echo")),))
    (tmp_path / "settings.json").write_bytes(msgspec.json.encode(settings))
    command = [sys.executable, "-S", "-P", "-m", "orchestrator.serving.fetch", tmp_path / "settings.json", shared]
    environment = {"PYTHONPATH": str(packages), "MLCTL_STORE": json.dumps({"store": store.url})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (told,) = read_settings(shared / "settings.json").models
    assert Path(told.requirements, "pip-requirements.txt").read_text() == "\nbeta==1"
    assert Path(told.packages).parent.is_dir() and (shared / "guest" / "serving" / "host.sh").exists()


def test_a_pod_runs_with_the_requirements_alone(make_job, bucket_url, packages, tmp_path):
    job = make_job(bucket_url)
    with SummaryWriter(str(tmp_path / "events")) as writer:
        writer.add_scalar("loss", 0.5, 1)
    job.submit(
        f"""
        import shutil
        shutil.copytree({str(tmp_path / "events")!r}, given["train_url"] + "events")
        print("right: 0.25")
        """,
        data={"words": "to read"},
        measures=Measures(patterns={"right": "right: (.*)"}),
    )
    pod = job.pod(PYTHONPATH=str(packages))
    pod.program = [sys.executable, "-S", "-P", "-m", "orchestrator.runtime.pod"]
    assert pod.fetch() == 0, pod.said
    sync, main = pod.start("sync"), pod.main()
    assert finish(pod, sync, main) == 0, pod.said
    assert job.log() == b"right: 0.25\n"
    assert {name: each.last.value for name, each in job.status().metrics.items()} == {"events/loss": 0.5, "right": 0.25}


def test_sigterm_at_the_start_is_not_lost(job):
    job.submit("")
    pod = job.pod()
    pod.prepare()
    pod.program = [sys.executable, "-c", BLOCKED]
    sync = pod.start("sync")
    assert sync.wait(WAIT) == 0
    assert job.status().finished


# SIGTERM is sent by the first import that the program does after it has begun.
BLOCKED = """
import os, runpy, signal, sys, types
class Sender:
    def find_spec(self, name, path=None, target=None):
        if name == "orchestrator.runtime.pod.sync":
            os.kill(os.getpid(), signal.SIGTERM)
sys.meta_path.insert(0, Sender())
sys.argv = ["pod", "sync"]
runpy.run_module("orchestrator.runtime.pod", run_name="__main__", alter_sys=False)
"""
