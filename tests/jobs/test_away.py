"""A job whose store is away goes on, keeps everything, and brings it in when the store is back."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import config
from orchestrator.backends.local.rundir import holder, is_looked_after
from orchestrator.errors import ConflictError, JobNotFinishedError, NotFoundError, StoreError
from orchestrator.runtime.patience import LONGEST_PAUSE, keep_trying
from orchestrator.runtime.status import Reason, State
from orchestrator.store.serve import S3Server
from tests.buckets import BUCKET
from tests.jobs.conftest import processes_of, run_of, wait_until

TRAIN = """
    import pathlib
    print('ready', flush=True)
    while not pathlib.Path(given['stop']).exists():
        print('step', time.time(), flush=True)
        time.sleep(0.05)
    open(train_url + 'model', 'w').write('weights')
    print('done', flush=True)
"""


class Mount:
    """A folder store on something that can go away: a folder that is mounted elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.behind, self.place = folder / "behind", folder / "mounted"
        self.behind.mkdir()
        self.place.mkdir()
        self.back()

    def away(self) -> None:
        subprocess.run(["umount", "--lazy", self.place], check=True)

    def back(self) -> None:
        made = subprocess.run(["mount", "--bind", self.behind, self.place], capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")

    def end(self) -> None:
        subprocess.run(["umount", "--lazy", self.place], capture_output=True)


@pytest.fixture
def mount(tmp_path):
    mount = Mount(tmp_path)
    yield mount
    mount.end()


def use(project, url: str, **settings) -> None:
    config.add_context(config.Context(name="away", store=url, **settings))
    config.use_context("away")
    project.script(TRAIN)


def train(project, **fields):
    stop = project.folder / "stop"
    view = project.create(parameters={"stop": str(stop)}, **fields)
    project.wait_for_log(view, b"ready")
    return view, stop


def steps(log: bytes) -> int:
    return log.count(b"step")


def goes_on(view) -> Callable[[], bool]:
    """Return a function that tells whether the script has written more than at its first call."""
    log = run_of(view).workspace.log
    before = log.stat().st_size
    return lambda: log.stat().st_size > before + 500


def check_whole(project, view, stop) -> None:
    """Wait for the end of a job and see that it is all there, with the right times."""
    stop.touch()
    after = project.client.jobs.wait(view.name, view.version, timeout=60)
    assert (after.status.state, after.status.reason) == (State.SUCCEEDED, None)
    assert [entry.path for entry in project.client.jobs.outputs(view.name).manifest.entries] == ["model"]
    log = project.log(view)
    assert log.startswith(b"ready\n") and log.endswith(b"done\n")
    assert len(log) == after.status.log_bytes
    late = [
        float(printed) - time.mktime(time.strptime(came.decode(), "%Y-%m-%dT%H:%M:%S")) + time.timezone
        for came, printed in re.findall(rb"^(\S{19})\S+ step ([\d.]+)$", project.log(view, timestamps=True), re.M)
    ]
    assert len(late) == steps(log) and all(-3 < seconds < 3 for seconds in late)
    wait_until(lambda: not run_of(view).folder.exists())


def test_a_read_only_store(project, small_disk):
    disk = small_disk("size=10m")
    use(project, disk.as_uri())
    view, stop = train(project)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    seen = steps(project.log(view))
    wait_until(goes_on(view))
    assert steps(project.log(view)) > seen  # what is written here is shown
    assert project.client.jobs.get("demo").status.state is State.RUNNING
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    check_whole(project, view, stop)


def test_a_folder_that_is_not_mounted_for_a_while(project, mount):
    use(project, mount.place.as_uri())
    view, stop = train(project)
    mount.away()
    wait_until(goes_on(view))
    told = project.client.jobs.get("demo")  # there is no such job in the empty folder
    assert (told.status.state, told.version) == (State.RUNNING, "V0001")
    assert steps(project.log(view))
    with pytest.raises(NotFoundError):
        project.client.jobs.get("other")
    mount.back()
    check_whole(project, view, stop)


def test_a_job_that_ends_while_its_store_is_away_waits_without_a_place_in_the_queue(project, mount):
    use(project, mount.place.as_uri())
    view, stop = train(project, resources={"cpus": 2})
    mount.away()
    stop.touch()
    wait_until(lambda: project.client.jobs.get("demo").status.state is State.RECOVERING)
    status = project.client.jobs.get("demo").status
    assert status.reason is Reason.OUTPUT_NOT_SAVED
    assert "SUCCEEDED" in status.message and "it is not the store it was" in status.message
    config.use_context("local")
    project.script("print('hello')")
    assert project.run(name="another", resources={"cpus": 2}, parameters={}).status.state is State.SUCCEEDED
    config.use_context("away")
    mount.back()
    check_whole(project, view, stop)


def test_the_end_is_saved_by_any_later_command_when_the_supervisor_was_killed_too(project, small_disk):
    disk = small_disk("size=10m")
    use(project, disk.as_uri())
    view, stop = train(project)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    stop.touch()
    wait_until(lambda: project.client.jobs.get("demo").status.state is State.RECOVERING)
    with pytest.raises(ConflictError, match="is RECOVERING"):
        project.client.jobs.delete("demo")
    os.kill(holder(run_of(view)), signal.SIGKILL)
    wait_until(lambda: not is_looked_after(run_of(view)))
    status = project.client.jobs.get("demo").status
    assert (status.state, status.reason) == (State.FAILED, Reason.OUTPUT_NOT_SAVED)
    assert "Read-only file system" in status.message
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    check_whole(project, view, stop)


def test_who_waits_no_longer_may_cancel_and_nothing_is_lost(project, small_disk):
    disk = small_disk("size=10m")
    use(project, disk.as_uri())
    view, stop = train(project)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    stop.touch()
    wait_until(lambda: project.client.jobs.get("demo").status.state is State.RECOVERING)
    assert project.client.jobs.cancel("demo").status.reason is Reason.OUTPUT_NOT_SAVED
    wait_until(lambda: not is_looked_after(run_of(view)))
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    check_whole(project, view, stop)


def test_a_running_job_can_be_cancelled_while_its_store_is_away(project, mount, monkeypatch):
    monkeypatch.setattr("orchestrator.jobs.jobs.CANCEL_WAIT", 1.0)
    use(project, mount.place.as_uri())
    view, _ = train(project)
    mount.away()
    with pytest.raises(JobNotFinishedError):
        project.client.jobs.cancel("demo")
    wait_until(lambda: "CANCELLED" in project.client.jobs.get("demo").status.message)
    mount.back()
    after = project.client.jobs.wait("demo", timeout=60)
    assert after.status.state is State.CANCELLED
    assert project.log(view).startswith(b"ready\n")


def test_the_start_waits_for_a_store_that_is_away(project, mount, monkeypatch):
    use(project, mount.place.as_uri())
    config.use_context("local")
    stop = project.folder / "stop"
    first = project.create(name="first", resources={"cpus": 2}, parameters={"stop": str(stop)})
    project.wait_for_log(first, b"ready")
    config.use_context("away")
    second = project.create(name="demo", resources={"cpus": 2}, parameters={"stop": str(stop)})
    mount.away()
    stop.touch()
    wait_until(lambda: "waiting for the store" in project.client.jobs.get("demo").status.message)
    mount.back()
    check_whole(project, second, stop)


@pytest.fixture
def server(tmp_path, monkeypatch):
    server = S3Server(tmp_path / "server")
    server.start()
    server.make_bucket(BUCKET)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    yield server
    server.kill()


def test_a_bucket_that_does_not_answer_for_a_while(project, server):
    use(project, f"s3://{BUCKET}/lab", endpoint=server.endpoint)
    view, stop = train(project)
    os.kill(server._process.pid, signal.SIGSTOP)
    wait_until(goes_on(view))
    time.sleep(5)  # until requests under way are given up
    os.kill(server._process.pid, signal.SIGCONT)
    check_whole(project, view, stop)


def test_a_bucket_whose_server_is_killed_and_comes_back_after_the_end(project, server, tmp_path):
    use(project, f"s3://{BUCKET}/lab", endpoint=server.endpoint)
    view, stop = train(project)
    server.kill()
    wait_until(goes_on(view))
    stop.touch()
    wait_until(lambda: project.client.jobs.get("demo").status.state is State.RECOVERING, 60)
    status = project.client.jobs.get("demo").status
    assert status.reason is Reason.OUTPUT_NOT_SAVED and "cannot reach" in status.message
    assert processes_of(view.record.run)
    server.start()
    check_whole(project, view, stop)


class Clock:
    """A clock that goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.attempts: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def attempt(self, works_at: float) -> Callable[[], bool]:
        def attempt() -> bool:
            self.attempts.append(self.now)
            return self.now >= works_at

        return attempt


def test_trying_goes_on_for_days_with_growing_pauses():
    clock = Clock()
    day = 86_400.0
    assert keep_trying(clock.attempt(2 * day), patience=7 * day, clock=lambda: clock.now, sleep=clock.sleep)
    pauses = [after - before for before, after in zip(clock.attempts, clock.attempts[1:], strict=False)]
    assert pauses[0] <= 1 and max(pauses) <= LONGEST_PAUSE + 1
    assert 2 * day <= clock.now < 2 * day + LONGEST_PAUSE + 1
    assert len(set(map(round, pauses[20:]))) > 5  # many who wait for one store do not all come at once


def test_trying_ends_with_its_patience_and_when_it_is_told_to():
    clock = Clock()
    assert not keep_trying(clock.attempt(1e9), patience=300, clock=lambda: clock.now, sleep=clock.sleep)
    assert 299 <= clock.now <= 301
    clock = Clock()
    gives_up = keep_trying(
        clock.attempt(1e9), patience=1e9, give_up=lambda: clock.now > 10, clock=lambda: clock.now, sleep=clock.sleep
    )
    assert not gives_up and clock.now < 12


def test_an_away_store_does_not_hide_what_is_wrong_otherwise(project):
    with pytest.raises((NotFoundError, StoreError)):
        project.client.jobs.get("demo")
