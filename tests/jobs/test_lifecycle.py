"""What a user sees of a job from create to its output."""

import json

import pytest

from orchestrator.errors import ConflictError, JobCancelledError, JobFailedError, NotFoundError, PreflightError
from orchestrator.runtime.status import Reason, State
from orchestrator.store.base import list_objects
from tests.jobs.conftest import LONGEST, processes_of, run_of
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_store")


def test_a_job_from_create_to_output(project):
    data = project.folder / "data"
    (data / "sub").mkdir(parents=True)
    (data / "a.txt").write_text("alpha")
    (data / "sub" / "b.txt").write_text("beta")
    project.script(
        """
        print('args', sys.argv[1:])
        print(sorted(os.listdir(data_url)), open(data_url + 'sub/b.txt').read())
        os.makedirs(train_url + 'model')
        open(train_url + 'model/weights', 'w').write('w' * 1000)
        print('cwd', os.listdir('.'), 'index', os.environ['DLS_TASK_INDEX'], os.environ['DLS_TRAIN_URL'] == train_url)
        """
    )
    view = project.run(data="./data", parameters={"num_epochs": 3, "lr": 1e-3})
    assert (view.version, view.status.state, view.status.exit_code) == ("V0001", State.SUCCEEDED, 0)
    log = project.log(view).decode()
    assert "'--num_epochs=3', '--lr=0.001'" in log
    assert "['a.txt', 'sub'] beta" in log
    assert "cwd ['code'] index 0 True" in log
    output = project.client.jobs.outputs("demo")
    assert [entry.path for entry in output.manifest.entries] == ["model/weights"]
    assert output.complete
    project.client.jobs.pull_outputs("demo", "v1", project.folder / "pulled")
    assert (project.folder / "pulled" / "model" / "weights").read_text() == "w" * 1000
    status = view.status
    assert status.queued <= status.started <= status.finished
    assert status.log_bytes == len(log.encode())
    assert status.output_bytes == 1000
    assert status.peak_memory > 0
    wait_until(lambda: not run_of(view).folder.exists())
    wait_until(lambda: processes_of(view.record.run) == [])


def test_the_bucket_is_readable_by_people(project):
    project.run()
    keys = [item.key for item in list_objects(project.client.store, "")]
    assert "jobs/demo/V0001/job.json" in keys
    assert "jobs/demo/V0001/logs/worker-0/000000000000.log" in keys
    record = json.loads(project.client.store.get("jobs/demo/V0001/job.json").data)
    assert record["spec"]["boot_file"] == "main.py"


def test_versions_count_up_and_the_plan_tells_the_difference(project):
    project.run(parameters={"lr": 0.1})
    project.script("print('changed')")
    plan = project.client.jobs.plan(project.write(parameters={"lr": 0.2, "momentum": 0.9}, kubernetes={"queue": "a"}))
    told = {change.what: (change.before, change.now) for change in plan.changes}
    assert told["parameters.lr"] == ("0.1", "0.2")
    assert told["parameters.momentum"] == ("-", "0.9")
    assert told["kubernetes.queue"] == ("-", "a")
    assert "code: main.py" in told
    assert project.run().version == "V0002"
    assert project.client.jobs.plan(project.spec).changes == []
    assert [view.version for view in project.client.jobs.list("demo")] == ["V0002", "V0001"]
    assert [view.version for view in project.client.jobs.list()] == ["V0002"]
    assert project.client.jobs.get("demo", "v1").record.parameters == {"lr": 0.1}


def test_a_data_folder_is_a_change_only_when_it_changed(project):
    (project.folder / "data").mkdir()
    (project.folder / "data" / "x").write_text("x")
    project.run(data="./data")
    assert project.client.jobs.plan(project.spec).changes == []
    (project.folder / "data" / "y").write_text("y")
    changes = project.client.jobs.plan(project.spec).changes
    assert [(change.what, change.before, change.now) for change in changes] == [
        ("data", "demo-data@V0001", "demo-data (to push)")
    ]


def test_planning_changes_nothing(project):
    (project.folder / "data").mkdir()
    (project.folder / "data" / "x").write_text("x")
    project.client.jobs.plan(project.write(data="./data"))
    assert list(list_objects(project.client.store, "")) == []


def test_a_failing_script_keeps_what_it_wrote(project):
    project.script("open(train_url + 'half', 'w').write('x'); print('last words'); sys.exit(3)")
    view = project.run()
    status = view.status
    assert (status.state, status.reason, status.exit_code) == (State.FAILED, Reason.USER_ERROR, 3)
    assert status.last_lines == ["last words"]
    assert "exit code 3" in status.message
    output = project.client.jobs.outputs("demo")
    assert not output.complete
    assert [entry.path for entry in output.manifest.entries] == ["half"]
    with pytest.raises(JobFailedError, match="exit code 3"):
        view.raise_if_failed()


@pytest.mark.parametrize(
    ("source", "fields", "reason"),
    [
        ("os.kill(os.getpid(), 9)", {}, Reason.KILLED),
        ("raise MemoryError", {}, Reason.OUT_OF_MEMORY),
        ("x = bytearray(150 << 20); time.sleep(30)", {"resources": {"memory": "100Mi"}}, Reason.OUT_OF_MEMORY),
        ("print('on', flush=True); time.sleep(60)", {"max_duration": "1s"}, Reason.TIMEOUT),
        ("raise OSError(28, os.strerror(28))", {}, Reason.DISK_FULL),
    ],
)
def test_reasons_are_true(project, source, fields, reason):
    project.script(source)
    status = project.run(**fields).status
    assert (status.state, status.reason) == (State.FAILED, reason)
    assert status.hint


def test_cancel_lets_the_script_say_goodbye(project):
    project.script(
        """
        import signal
        def stop(*_):
            open(train_url + 'checkpoint', 'w').write('saved')
            print('saving', flush=True)
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        print('ready', flush=True)
        time.sleep(60)
        """
    )
    view = project.create()
    project.wait_for_log(view, b"ready")
    cancelled = project.client.jobs.cancel("demo")
    assert (cancelled.status.state, cancelled.status.reason) == (State.CANCELLED, Reason.CANCELLED_BY_USER)
    assert b"saving" in project.log(view)
    assert [entry.path for entry in project.client.jobs.outputs("demo").manifest.entries] == ["checkpoint"]
    assert project.client.jobs.cancel("demo").status.state is State.CANCELLED
    wait_until(lambda: processes_of(view.record.run) == [])
    with pytest.raises(JobCancelledError):
        cancelled.raise_if_failed()


@pytest.mark.journey
def test_cancel_of_a_script_that_does_not_listen(project, monkeypatch):
    project.script(
        """
        import signal, subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)
        print('ready', flush=True)
        time.sleep(60)
        """
    )
    view = project.create()
    project.wait_for_log(view, b"ready")
    assert project.client.jobs.cancel("demo").status.state is State.CANCELLED
    wait_until(lambda: processes_of(view.record.run) == [])


def test_jobs_wait_for_cpus_in_order(project):
    go = project.folder / "go"
    project.script(
        f"""
        print(os.environ['MLCTL_JOB'], flush=True)
        while 'waits' in given and not os.path.exists({str(go)!r}): time.sleep(0.05)
        """
    )
    first = project.create(name="first", resources={"cpus": 2}, parameters={"waits": 1})
    project.wait_for_state(first, State.RUNNING)
    second = project.create(name="second", parameters={})
    third = project.create(name="third")
    jobs = project.client.jobs
    wait_until(lambda: jobs.get("third").status.reason is Reason.NO_CAPACITY)
    assert jobs.get("second").status.state is State.QUEUED
    assert "before it on this machine" in jobs.get("third").status.message
    go.touch()
    done = [jobs.wait(view.name, timeout=LONGEST) for view in (first, second, third)]
    assert [view.status.state for view in done] == [State.SUCCEEDED] * 3
    assert done[0].status.finished <= done[1].status.started
    assert b"second" in project.log(second)


def test_a_queued_job_can_be_cancelled_and_leaves_the_queue(project):
    project.script("time.sleep(float(given.get('sleep', 0)))")
    first = project.create(name="first", resources={"cpus": 2}, parameters={"sleep": 60})
    project.wait_for_state(first, State.RUNNING)
    project.create(name="second")
    assert project.client.jobs.cancel("second").status.state is State.CANCELLED
    assert project.client.jobs.cancel("first").status.state is State.CANCELLED


def test_delete_takes_all_but_the_number(project):
    project.run()
    project.run()
    assert project.client.jobs.delete("demo", "v1") == ["V0001"]
    assert [view.version for view in project.client.jobs.list("demo")] == ["V0002"]
    with pytest.raises(NotFoundError, match="demo/V0001 was deleted"):
        project.client.jobs.get("demo", "v1")
    assert project.client.jobs.delete("demo") == ["V0002"]
    assert [item.key for item in list_objects(project.client.store, "jobs/")] == [
        "jobs/demo/V0001/job.json",
        "jobs/demo/V0002/job.json",
        "jobs/demo/pages/V0001.json.gz",
    ]
    assert project.client.jobs.list() == []
    assert project.run().version == "V0003"


def test_a_running_job_is_not_deleted(project):
    project.script("time.sleep(60)")
    view = project.create()
    project.wait_for_state(view, State.RUNNING)
    with pytest.raises(ConflictError, match="RUNNING"):
        project.client.jobs.delete("demo")
    project.client.jobs.cancel("demo")


def test_output_to_a_place_of_the_users_own(project):
    project.script("open(train_url + 'model', 'w').write('m')")
    target = project.folder / "elsewhere"
    project.run(output=str(target))
    project.run()
    assert (target / "V0001" / "model").read_text() == "m"
    assert (target / "V0002" / "model").read_text() == "m"
    project.client.jobs.delete("demo")
    assert (target / "V0001" / "model").exists()


def test_the_log_is_followed_live_and_ends_with_the_job(project):
    project.script(
        """
        for number in range(5):
            print(number, flush=True)
            while not os.path.exists(given['seen'] + str(number)):  # goes on when its line was seen
                time.sleep(0.01)
        """
    )
    seen = project.folder / "seen"
    view = project.create(parameters={"seen": str(seen)})
    lines = b""
    for block in project.client.jobs.logs("demo", view.version, follow=True):
        lines += block
        for line in block.split():
            seen.with_name(f"seen{line.decode()}").touch()
    assert lines == b"0\n1\n2\n3\n4\n"
    assert project.log(view) == lines
    assert len(project.log(view, timestamps=True).splitlines()[0].split()) == 2


def test_binary_rubbish_and_progress_bars_survive(project):
    project.script("sys.stdout.buffer.write(bytes(range(256)) * 10 + b'50%\\r100%\\r'); sys.stdout.flush()")
    view = project.run()
    assert project.log(view) == bytes(range(256)) * 10 + b"50%\r100%\r"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"boot_file": "mian.py"}, "did you mean main.py"),
        ({"engine": "plain-2"}, "plain-1"),
        ({"code": "./nowhere"}, "nowhere"),
        ({"data": "./empty"}, "has no files"),
        ({"data": "./nowhere"}, "nowhere"),
        ({"data": "dataset://minst"}, "minst"),
        ({"data": "s3://bucket/x/"}, "bucket"),
        ({"output": "/proc/mlctl"}, "cannot write"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_submitted(project, fields, told):
    (project.folder / "empty").mkdir()
    with pytest.raises(PreflightError, match=told) as caught:
        project.create(**fields)
    assert caught.value.exit_code == 3
    assert [item.key for item in list_objects(project.client.store, "jobs/")] == []


def test_urls_are_given_only_where_there_is_a_bucket(project):
    plan = project.client.jobs.plan(project.write(data_mode="url"))
    told = [problem.message for problem in plan.problems]
    if project.client.store.url.startswith("file:"):
        assert len(told) == 1
        assert "this store is a folder" in told[0]
    else:
        assert told == []


def test_all_problems_are_told_at_once(project):
    with pytest.raises(PreflightError) as caught:
        project.create(engine="plain-2", boot_file="mian.py", data="./nowhere")
    assert all(word in caught.value.message for word in ("plain-2", "mian.py", "nowhere"))


def test_undeclared_parameters_are_warned_of(project):
    source = (
        "import argparse; p = argparse.ArgumentParser(); p.add_argument('--num_epochs'); p.add_argument('--train_url')"
    )
    (project.folder / "code" / "main.py").write_text(source)
    plan = project.client.jobs.plan(project.write(parameters={"max_epoches": 3}))
    assert len(plan.warnings) == 1
    assert "--max_epoches" in plan.warnings[0]
    assert "did you mean num_epochs?" in plan.warnings[0]


def test_more_than_this_machine_has_is_warned_of(project):
    plan = project.client.jobs.plan(project.write(resources={"cpus": 64, "gpus": 4}))
    assert any("64 CPUs" in warning for warning in plan.warnings)
    assert any("4 GPUs" in warning for warning in plan.warnings)
    assert plan.gpus == 0
