"""fetch, as the init container runs it."""

import msgspec

from orchestrator.runtime.output import Output
from orchestrator.runtime.status import Reason, State
from orchestrator.store.manifest import manifest_of
from orchestrator.store.records import write
from tests.runtime.pod.conftest import PREFIX, wait_until


def run(pod) -> bytes:
    """Run the script, without sync; return its log."""
    main = pod.main()
    wait_until(lambda: pod.volume.exit() is not None)
    pod.volume.ask("saved")
    main.wait()
    return pod.stdout.read_bytes()


def test_code_and_data_are_brought(each_job):
    each_job.submit("print(open(given['data_url'] + 'words').read())", data={"words": "to read"}, arguments=["--n=1"])
    pod = each_job.pod()
    done = pod.fetch()
    assert done.returncode == 0, done.stderr
    status = each_job.status()
    assert (status.state, status.attempt, status.pod, status.queued) == (State.STARTING, 1, "demo-0-abcde", 1000)
    assert run(pod) == b"to read\n"


def test_data_that_is_missing_is_final(job):
    job.submit("", data={"words": "to read"})
    job.store.delete(["data/manifest.json"])
    assert job.pod().fetch().returncode == 64
    status = job.status()
    assert (status.state, status.reason) == (State.FAILED, Reason.DATA_MISSING)
    assert "data/manifest.json" in status.message and status.finished and status.hint


def test_data_that_is_damaged_is_final(job):
    job.submit("", data={"words": "to read"})
    job.store.put("data/files/words", b"to write")
    assert job.pod().fetch().returncode == 64
    assert job.status().reason is Reason.DATA_DAMAGED


def test_code_that_is_missing_is_final(job):
    job.submit("")
    job.store.delete([job.task.code_key])
    assert job.pod().fetch().returncode == 64
    assert job.status().reason is Reason.CODE_MISSING


def test_a_full_disk_is_final(job, small_disk):
    job.submit("", data={"words": "to read " * 2**18})
    pod = job.pod()
    pod.use(small_disk("size=1m"))
    assert pod.fetch().returncode == 64
    assert job.status().reason is Reason.DISK_FULL


def test_a_worker_tells_only_its_own_part(job):
    job.submit("print(os.environ['VC_TASK_INDEX'], os.environ['VC_WORKER_HOSTS'])")
    pod = job.pod(JOB_COMPLETION_INDEX="1", MLCTL_HOSTS="demo-0.demo,demo-1.demo")
    assert pod.fetch().returncode == 0
    assert job.status() is None
    assert job.status("status-1.json").state is State.STARTING
    assert run(pod) == b"1 demo-0.demo,demo-1.demo\n"


def test_wrong_settings_are_told(job):
    job.submit("")
    for name, value in (("MLCTL_STORE", "{"), ("MLCTL_STORE", ""), ("JOB_COMPLETION_INDEX", "1")):
        done = job.pod(**{name: value}).fetch()
        assert done.returncode == 2 and name in done.stderr


def test_a_job_that_was_deleted_is_not_run(job):
    job.submit("")
    job.store.put(PREFIX + "job.json", msgspec.json.encode({"name": "demo", "number": 1, "deleted": 2000.0}))
    done = job.pod().fetch()
    assert done.returncode == 64 and "deleted" in done.stderr
    assert job.status() is None


def test_an_empty_output_is_restored(job):
    job.submit("print(os.listdir(given['train_url']))")
    assert job.pod("demo-0-first").fetch().returncode == 0
    output = Output(store=job.url, prefix=PREFIX + "output/", complete=False, manifest=manifest_of([]))
    write(job.store, PREFIX + "output.json", output)
    second = job.pod("demo-0-second")
    assert second.fetch().returncode == 0
    assert run(second) == b"[]\n"
