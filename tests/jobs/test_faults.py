"""Any process may be killed at any step: one version, complete or clearly failed; no orphan, nothing lost."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.backends.local.rundir import holder
from orchestrator.errors import PermissionDeniedError, PreflightError
from orchestrator.runtime.status import Reason, State
from orchestrator.runtime.task import STATUS
from orchestrator.store.base import list_objects
from tests.jobs.conftest import LONGEST, processes_of, run_of
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
CREATE = "from orchestrator import Client; print(Client().jobs.create(sys.argv[1]).version, flush=True)"


def create_in_process(project, before: str = "") -> subprocess.Popen:
    """Run create in a process of its own, after the statements `before`."""
    project.write()
    source = f"import os, sys\n{before}\n{CREATE}"
    return subprocess.Popen(
        [sys.executable, "-c", source, project.spec], cwd=Path.cwd(), stdout=subprocess.PIPE, text=True
    )


def die_in(function: str, number: int = signal.SIGKILL) -> str:
    """Return statements that make the process send itself a signal when it calls this method or function."""
    module, _, name = function.rpartition(":")
    owner, _, attribute = name.rpartition(".")
    place = f"module.{owner}" if owner else "module"
    return (
        f"import importlib\nmodule = importlib.import_module('{module}')\n"
        f"setattr({place}, '{attribute}', lambda *a, **k: os.kill(os.getpid(), {int(number)}))"
    )


def kill_supervisor(view) -> None:
    run = run_of(view)
    os.kill(wait_until(lambda: holder(run)), signal.SIGKILL)


def versions(project) -> list[str]:
    return [view.version for view in project.client.jobs.list("demo")]


STEPS = [
    "orchestrator.jobs.code:snapshot_code",
    "orchestrator.backends.local.backend:LocalBackend.prepare",
    "orchestrator.jobs.create:store_code",
    "orchestrator.jobs.create:claim_number",
    "orchestrator.jobs.create:_with_task",
    "orchestrator.backends.local.rundir:RunDir.save_order",
    "orchestrator.backends.local.submission:LocalSubmission.start",
    "orchestrator.jobs.last:remember",
]


@pytest.mark.parametrize("step", STEPS)
def test_create_killed_at_a_step_and_run_again(project, step):
    killed = create_in_process(project, die_in(step))
    assert killed.wait() == -signal.SIGKILL
    again = create_in_process(project)
    assert again.communicate(timeout=LONGEST)[0].strip() == "V0001"
    view = project.client.jobs.wait("demo", timeout=LONGEST)
    assert view.status.state is State.SUCCEEDED
    assert versions(project) == ["V0001"]
    assert project.run().version == "V0002"  # told once, the same submission is a new version again


@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_at_a_step_and_run_again(project, step):
    project.write()
    source = (
        f"import os, sys\n{die_in(step, signal.SIGINT)}\nfrom orchestrator.cli.main import run\n"
        "sys.exit(run(['job', 'create', sys.argv[1], '--yes']))"
    )
    stopped = subprocess.run([sys.executable, "-c", source, project.spec], capture_output=True, text=True)
    assert stopped.returncode == 130, stopped.stderr
    assert "Traceback" not in stopped.stderr
    again = create_in_process(project)
    assert again.communicate(timeout=LONGEST)[0].strip() == "V0001"
    assert project.client.jobs.wait("demo", timeout=LONGEST).status.state is State.SUCCEEDED
    assert versions(project) == ["V0001"]


def test_a_job_that_was_recorded_and_not_started_says_so(project):
    create_in_process(project, die_in("orchestrator.backends.local.submission:LocalSubmission.start")).wait()
    view = project.client.jobs.get("demo")
    assert (view.status.state, view.status.reason) == (State.FAILED, Reason.NOT_STARTED)
    assert "run the same create command again" in view.status.hint
    assert project.client.jobs.cancel("demo").status.state is State.CANCELLED
    assert project.run().version == "V0002"


def test_a_changed_job_is_not_taken_for_the_interrupted_one(project):
    create_in_process(project, die_in("orchestrator.backends.local.submission:LocalSubmission.start")).wait()
    assert project.run(parameters={"lr": 1}).version == "V0002"
    assert project.client.jobs.get("demo", "v1").status.reason is Reason.NOT_STARTED


def test_create_killed_at_any_moment(project, home):
    for attempt in range(6):
        name = f"demo{attempt}"
        project.fields["name"] = name
        killed = create_in_process(project)
        time.sleep(0.12 + 0.07 * attempt)
        killed.kill()
        killed.wait()
        there = name in {view.name for view in project.client.jobs.list()}
        told = there and not any((home / "creating").glob("*"))
        assert told or not killed.stdout.read().strip()
        create_in_process(project).wait()
        assert project.client.jobs.wait(name, timeout=LONGEST).status.state is State.SUCCEEDED
        assert len(project.client.jobs.list(name)) == (2 if told else 1)


def test_supervisor_killed_in_the_queue(project):
    project.script("time.sleep(float(given.get('sleep', 0)))")
    first = project.create(name="first", resources={"cpus": 2}, parameters={"sleep": 60})
    project.wait_for_state(first, State.RUNNING)
    second = project.create(name="demo", parameters={})
    wait_until(lambda: project.client.jobs.get("demo").status.message.startswith("1 job is before it"))
    kill_supervisor(second)
    wait_until(lambda: project.client.jobs.get("demo").status.state is State.FAILED)
    assert project.client.jobs.get("demo").status.reason is Reason.SUPERVISOR_LOST
    project.client.jobs.cancel("first")
    assert project.run().status.state is State.SUCCEEDED
    assert versions(project) == ["V0002", "V0001"]


def test_supervisor_killed_while_fetching(project):
    data = project.folder / "data"
    data.mkdir()
    for number in range(3000):
        (data / f"{number}").write_bytes(b"x" * 20_000)
    project.script("time.sleep(600)")  # should all be fetched before the kill comes
    view = project.create(data="./data")
    run = run_of(view)
    wait_until(lambda: run.workspace.data.exists() and any(run.workspace.data.iterdir()))
    kill_supervisor(view)
    after = project.client.jobs.wait("demo", timeout=LONGEST)
    assert (after.status.state, after.status.reason) == (State.FAILED, Reason.SUPERVISOR_LOST)
    wait_until(lambda: processes_of(view.record.run) == [])
    assert not run.folder.exists()
    project.script("print('hello')")
    assert project.run().status.state is State.SUCCEEDED


def test_supervisor_killed_while_the_script_runs(project):
    project.script(
        """
        import subprocess
        subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)
        open(train_url + 'checkpoint', 'w').write('saved')
        for number in range(1000):
            print('line', number, flush=True)
        print('ready', flush=True)
        time.sleep(60)
        """
    )
    view = project.create()
    project.wait_for_log(view, b"ready")
    kill_supervisor(view)
    after = project.client.jobs.wait("demo", timeout=LONGEST)
    assert (after.status.state, after.status.reason) == (State.FAILED, Reason.SUPERVISOR_LOST)
    assert project.log(view).count(b"line") == 1000
    assert project.log(view).endswith(b"ready\n")
    output = project.client.jobs.outputs("demo")
    assert [entry.path for entry in output.manifest.entries] == ["checkpoint"]
    assert not output.complete
    wait_until(lambda: processes_of(view.record.run) == [])


def test_supervisor_killed_while_saving_loses_nothing_and_the_job_succeeds(project):
    project.script(
        """
        for number in range(2000):
            open(train_url + str(number), 'wb').write(os.urandom(20_000))
        print('done')
        """
    )
    view = project.create()
    run = run_of(view)
    wait_until(lambda: run.exit() is not None)
    kill_supervisor(view)
    assert project.client.store.head(f"jobs/demo/V0001/{STATUS}") is not None
    after = project.client.jobs.wait("demo", timeout=LONGEST)
    assert after.status.state is State.SUCCEEDED
    assert after.status.output_files == 2000
    assert project.log(view) == b"done\n"


def test_all_processes_of_a_run_killed_at_once(project):
    project.script("print('ready', flush=True); time.sleep(60)")
    view = project.create()
    project.wait_for_log(view, b"ready")
    pids = processes_of(view.record.run)
    for number in (signal.SIGSTOP, signal.SIGKILL):  # so that none sees another die
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # the death of one takes others along
                os.kill(pid, number)
    after = project.client.jobs.wait("demo", timeout=LONGEST)
    assert after.status.reason is Reason.SUPERVISOR_LOST
    assert project.log(view) == b"ready\n"


def test_a_script_survives_the_terminal_that_started_it(project):
    project.script("print('ready', flush=True); time.sleep(2); print('survived')")
    project.write()
    parent = subprocess.Popen([sys.executable, "-c", f"import sys\n{CREATE}", project.spec], start_new_session=True)
    parent.wait()
    with contextlib.suppress(ProcessLookupError):  # nobody may be left of its group
        os.killpg(parent.pid, signal.SIGHUP)
    assert project.client.jobs.wait("demo", timeout=LONGEST).status.state is State.SUCCEEDED
    assert project.log(project.client.jobs.get("demo")).endswith(b"survived\n")


def test_two_creates_at_once_give_two_versions(project):
    processes = [create_in_process(project) for _ in range(4)]
    told = sorted(process.communicate(timeout=LONGEST)[0].strip() for process in processes)
    assert told == ["V0001", "V0002", "V0003", "V0004"]
    for version in told:
        assert project.client.jobs.wait("demo", version, timeout=LONGEST).status.state is State.SUCCEEDED


def test_full_disk_keeps_the_output_here_until_there_is_room(project, small_disk):
    from orchestrator import config

    disk = small_disk("size=3m")
    config.add_context(config.Context(name="small", store=disk.as_uri()))
    config.use_context("small")
    project.script("open(train_url + 'large', 'wb').write(os.urandom(5_000_000)); print('done')")
    view = project.create()
    project.wait_for_state(view, State.RECOVERING)
    status = project.client.jobs.get("demo").status
    assert status.reason is Reason.OUTPUT_NOT_SAVED
    assert "No space left on device" in status.message
    subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
    assert project.client.jobs.wait("demo", timeout=LONGEST).status.state is State.SUCCEEDED
    assert project.client.jobs.outputs("demo").manifest.size == 5_000_000
    assert project.log(view) == b"done\n"


def test_full_home_can_be_looked_at_and_emptied(project, small_disk, monkeypatch):
    home = small_disk("size=6m")
    monkeypatch.setenv("MLCTL_HOME", str(home / "home"))
    project.script(
        """
        print('filling', flush=True)
        with open(train_url + 'large', 'wb') as file:
            while True:
                file.write(b'x' * 100_000)
        """
    )
    view = project.create()
    jobs = project.client.jobs
    wait_until(lambda: jobs.get("demo").status.state is State.FAILED)
    for _ in range(3):
        assert jobs.get("demo").status.reason in (Reason.DISK_FULL, Reason.OUTPUT_NOT_SAVED)
        assert jobs.list()
        assert b"filling" in project.log(view)
    wait_until(lambda: processes_of(view.record.run) == [])
    assert jobs.delete("demo") == ["V0001"]
    assert jobs.list() == []
    project.script("print('room again')")
    assert project.run().status.state is State.SUCCEEDED


def test_output_that_cannot_be_kept_is_told(project):
    project.script(
        """
        open(train_url + 'good', 'w').write('x')
        os.mkfifo(train_url + 'pipe')
        os.symlink('/nowhere', train_url + 'dangling')
        """
    )
    view = project.run()
    assert view.status.state is State.SUCCEEDED
    assert "dangling" in view.status.message
    assert "and 1 more" in view.status.message
    output = project.client.jobs.outputs("demo")
    assert [entry.path for entry in output.manifest.entries] == ["good"]
    assert [skipped.path for skipped in output.skipped] == ["dangling", "pipe"]


def test_read_only_store_is_refused_before_anything_happens(project, small_disk):
    from orchestrator import config

    config.add_context(config.Context(name="frozen", store=small_disk("ro").as_uri()))
    config.use_context("frozen")
    with pytest.raises(PreflightError, match="Read-only file system"):
        project.create()


def test_damaged_code_and_data_are_told(project):
    data = project.folder / "data"
    data.mkdir()
    (data / "a").write_text("alpha")
    project.run(data="./data")
    store = project.client.store
    victims = [item.key for item in list_objects(store, "datasets/") if item.key.endswith("/a")]
    store.put(victims[0], b"ALPHA")
    view = project.run()
    assert (view.status.state, view.status.reason) == (State.FAILED, Reason.DATA_DAMAGED)
    store.delete(victims)
    view = project.run()
    assert view.status.reason is Reason.DATA_DAMAGED
    wait_until(lambda: processes_of(view.record.run) == [])


def test_a_damaged_record_is_a_clear_error(project):
    view = project.run()
    project.client.store.put("jobs/demo/V0001/status.json", b'{"state": 7}')
    with pytest.raises(Exception, match=r"jobs/demo/V0001/status\.json is damaged") as caught:
        project.client.jobs.get(view.name)
    assert caught.value.exit_code == 7


def test_home_that_cannot_be_written(project, small_disk, monkeypatch):
    monkeypatch.setenv("MLCTL_HOME", str(small_disk("ro") / "home"))
    with pytest.raises((PermissionDeniedError, PreflightError), match="Read-only file system"):
        project.create()
