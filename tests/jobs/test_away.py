"""A job whose store is away goes on, keeps everything, and brings it in when the store is back."""

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import config
from orchestrator.backends.local.rundir import holder, is_looked_after
from orchestrator.client import Client
from orchestrator.errors import ConflictError, JobNotFinishedError, NotFoundError
from orchestrator.progress import SILENT
from orchestrator.runtime.status import Reason, State
from orchestrator.store.serve import S3Server
from tests.buckets import BUCKET, PROFILE
from tests.jobs.conftest import LONGEST, processes_of, run_of
from tests.waiting import wait_until

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
    """Wait for the end of a job and see that it is all there."""
    stop.touch()
    after = project.client.jobs.wait(view.name, view.version, timeout=LONGEST)
    assert (after.status.state, after.status.reason) == (State.SUCCEEDED, None)
    assert [entry.path for entry in project.client.jobs.outputs(view.name).manifest.entries] == ["model"]
    log = project.log(view)
    assert log.startswith(b"ready\n") and log.endswith(b"done\n")
    assert len(log) == after.status.log_bytes
    stamped = re.findall(rb"^(\d\S+Z) step", project.log(view, timestamps=True), re.M)
    assert len(stamped) == steps(log) and stamped == sorted(stamped)
    wait_until(lambda: not run_of(view).folder.exists())


def make_read_only(disk: Path) -> None:
    # Refused while somebody writes.
    wait_until(lambda: subprocess.run(["mount", "-o", "remount,ro", disk]).returncode == 0)


def test_a_read_only_store(project, small_disk):
    disk = small_disk("size=10m")
    use(project, disk.as_uri())
    view, stop = train(project)
    make_read_only(disk)
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
    make_read_only(disk)
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
    make_read_only(disk)
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
    after = project.client.jobs.wait("demo", timeout=LONGEST)
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
    os.kill(server._process.pid, signal.SIGCONT)
    check_whole(project, view, stop)


def test_a_bucket_whose_server_is_killed_and_comes_back_after_the_end(project, server):
    use(project, f"s3://{BUCKET}/lab", endpoint=server.endpoint)
    view, stop = train(project)
    server.kill()
    wait_until(goes_on(view))
    stop.touch()
    wait_until(lambda: project.client.jobs.get("demo").status.state is State.RECOVERING)
    status = project.client.jobs.get("demo").status
    assert status.reason is Reason.OUTPUT_NOT_SAVED and "cannot reach" in status.message
    assert processes_of(view.record.run)
    server.start()
    check_whole(project, view, stop)


def test_keys_that_stop_working_are_looked_up_anew(project, s3, bucket_url, tmp_path, monkeypatch):
    for name in (*s3.environment, "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    keys = "".join(f"{name.lower()} = {value}\n" for name, value in s3.environment.items())
    profile, good = tmp_path / "aws-credentials", f"[{PROFILE}]\n{keys}"
    profile.write_text(good)
    use(project, bucket_url, endpoint=s3.endpoint, profile=PROFILE)
    view, stop = train(project)
    profile.write_text(good.replace("aws_secret_access_key = ", "aws_secret_access_key = not"))
    stop.touch()
    wait_until(lambda: project.client.jobs.get("demo").status.state is State.RECOVERING)
    assert f"secret key from profile {PROFILE}" in project.client.jobs.get("demo").status.message
    profile.write_text(good)
    check_whole(project, view, stop)


class Notes:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, message: str) -> None:
        self.told.append(message)

    def bar(self, label: str, *, total: int | None, unit: str):
        return SILENT.bar(label, total=total, unit=unit)


def test_who_waits_is_told_once_what_it_waits_for(project, small_disk):
    disk = small_disk("size=10m")
    use(project, disk.as_uri())
    view, stop = train(project)
    make_read_only(disk)
    stop.touch()
    wait_until(lambda: project.client.jobs.get("demo").status.state is State.RECOVERING)
    notes = Notes()
    with pytest.raises(JobNotFinishedError) as caught:
        Client(reporter=notes).jobs.wait("demo", timeout=1)
    assert len(notes.told) == 1 and "demo/V0001 is RECOVERING: the script has ended (SUCCEEDED)" in notes.told[0]
    assert "mlctl job cancel demo -v V0001" in caught.value.hint
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    check_whole(project, view, stop)
