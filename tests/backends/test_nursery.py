"""Supervisors that were forked are as good as those that were started."""

import os
import signal

import pytest

from orchestrator.backends.local.nursery import Nursery
from orchestrator.backends.local.rundir import RunDir, holder, is_looked_after
from tests.jobs.conftest import LONGEST, Project, project
from tests.waiting import wait_until

__all__ = ["Project", "project"]


@pytest.fixture
def bulk(project, monkeypatch):
    """Give a client whose backend forks supervisors, and its context manager."""
    monkeypatch.setenv("MLCTL_CPUS", "8")
    client = project.client
    return client, client.jobs._backend


def test_a_run_is_the_same_and_outlives_the_nursery(bulk, project):
    client, backend = bulk
    project.script("print('started', flush=True)\nwhile not os.path.exists(given['go']): time.sleep(0.01)")
    go = project.folder / "go"
    with backend.in_bulk():
        views = [client.jobs.create(project.write(parameters={"go": str(go), "n": n})) for n in range(3)]
        for view in views:
            project.wait_for_log(view, b"started\n")
        parents = {holder(RunDir(view.record.run)) for view in views}
        assert len(parents) == 3 and all(os.getsid(pid) == pid for pid in parents)
    go.touch()
    for view in views:
        assert client.jobs.wait(view.name, view.version, timeout=LONGEST).status.state == "SUCCEEDED"
        wait_until(lambda run=view.record.run: not is_looked_after(RunDir(run)))


def test_a_run_is_cancelled_at_once(bulk, project):
    client, backend = bulk
    project.script("print('started', flush=True)\ntime.sleep(600)")
    with backend.in_bulk():
        view = client.jobs.create(project.write())
        project.wait_for_log(view, b"started\n")
        assert client.jobs.cancel(view.name, view.version).status.state == "CANCELLED"


def test_a_nursery_that_was_killed_is_done_without(bulk, project):
    client, backend = bulk
    with backend.in_bulk():
        assert isinstance(backend._nursery, Nursery)
        os.kill(backend._nursery._process.pid, signal.SIGKILL)
        backend._nursery._process.wait()
        view = client.jobs.create(project.write())
        assert client.jobs.wait(view.name, view.version, timeout=LONGEST).status.state == "SUCCEEDED"


def test_what_goes_wrong_in_a_supervisor_is_in_its_log(bulk, tmp_path):
    nursery = Nursery()
    try:
        with (tmp_path / "lock").open("w") as lock:
            log = tmp_path / "log"
            assert nursery.start("nothing", folder=tmp_path, environment={**os.environ}, log=log, lock=lock.fileno())
            wait_until(lambda: log.exists() and "run nothing has no order" in log.read_text())
    finally:
        nursery.close()
