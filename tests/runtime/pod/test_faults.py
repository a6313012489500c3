"""sync is killed, the disk is full, the store is away: nothing is lost."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestrator.runtime.status import Reason, State
from orchestrator.store.serve import S3Server
from tests.buckets import BUCKET
from tests.runtime.pod.conftest import READY, STUBBORN, WAIT, finish, saved
from tests.waiting import wait_until

IMPATIENT = """
import runpy, sys
from orchestrator.runtime.pod import sync
sync.SAVE_PATIENCE = sync.LAST_PATIENCE = sync.GRACE = 1.0
runpy.run_module("orchestrator.runtime.pod", run_name="__main__")
"""


def test_sync_may_be_killed_at_any_time(each_job):
    each_job.submit(
        """
        for number in range(60):
            print('line', number, 'x' * 50_000, flush=True)
            time.sleep(0.05)
        open(given['train_url'] + 'big', 'wb').write(bytes(10_000_000))
        """
    )
    pod = each_job.pod()
    sync, main = pod.begin()
    while main.poll() is None:
        with pytest.raises(subprocess.TimeoutExpired):
            sync.wait(1.2 + os.urandom(1)[0] / 256)
        sync.kill()
        sync.wait()
        sync = pod.start("sync")
        if pod.volume.exit():
            main.wait(WAIT)
    assert main.wait(WAIT) == 0
    assert each_job.log() == pod.volume.log.read_bytes()
    assert each_job.log().count(b"line") == 60
    assert each_job.status().state is State.SUCCEEDED
    assert saved(each_job) == {"big": bytes(10_000_000)}


def test_a_script_that_runs_too_long_is_killed_also_by_the_next_sync(job):
    job.submit(STUBBORN, max_duration=1)
    pod = job.pod()
    pod.program = [sys.executable, "-c", IMPATIENT]
    sync, main = pod.begin()
    wait_until(lambda: pod.volume.asked("term"))
    sync.kill()
    sync.wait()
    assert finish(pod, pod.start("sync"), main) == 137
    assert (job.status().state, job.status().reason) == (State.FAILED, Reason.TIMEOUT)
    assert job.log() == b"ready\n"


def test_a_full_disk_does_not_prevent_the_saving(job, small_disk):
    job.submit("f = open(given['train_url'] + 'big', 'wb', 0)\nwhile True: f.write(bytes(65536))")
    pod = job.pod()
    pod.use(small_disk("size=2m"))
    assert finish(pod, *pod.begin()) == 1
    status = job.status()
    assert (status.state, status.reason) == (State.FAILED, Reason.DISK_FULL)
    assert len(saved(job)["big"]) == (pod.volume.output / "big").stat().st_size > 10**6


@pytest.fixture
def server(tmp_path, monkeypatch):
    server = S3Server(tmp_path / "server")
    server.start()
    server.make_bucket(BUCKET)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    yield server
    server.kill()


def test_a_store_that_is_away_is_waited_for(make_job, server):
    job = make_job(f"s3://{BUCKET}/lab")
    go = job.folder / "go"
    job.submit(READY + f"while not os.path.exists({str(go)!r}): time.sleep(0.05)\nprint('done')")
    pod = job.pod()
    pod.prepare()

    @contextmanager
    def away(word: str) -> Iterator[None]:
        server.kill()
        said = len(pod.said) if pod.processes else 0
        yield
        wait_until(lambda: word in pod.said[said:])
        server.start()

    with away("cannot reach"):  # at the start
        sync, main = pod.start("sync"), pod.main()
        wait_until(lambda: pod.stdout.read_bytes() == b"ready\n")
    wait_until(lambda: job.log() == b"ready\n" and job.status().state is State.RUNNING)
    with away("could not be saved"):  # in the middle, and at the end
        go.touch()
    assert finish(pod, sync, main) == 0
    assert job.log() == b"ready\ndone\n" and job.status().state is State.SUCCEEDED


@pytest.mark.parametrize(("script", "code"), [("print('done')", 75), ("sys.exit(3)", 3)])
def test_a_script_whose_output_cannot_be_saved_does_not_succeed(job, script, code):
    job.submit(READY + f"while not os.path.exists({str(job.folder / 'go')!r}): time.sleep(0.05)\n{script}")
    pod = job.pod()
    pod.program = [sys.executable, "-c", IMPATIENT]
    sync, main = pod.begin()
    wait_until(lambda: job.log() == b"ready\n")
    job.away()
    (job.folder / "go").touch()
    assert finish(pod, sync, main) == code
    assert "could not be saved" in pod.said
