"""fetch, as the init container runs it."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
import pytest

from orchestrator.runtime.output import Output
from orchestrator.runtime.status import Reason, State
from orchestrator.store.manifest import manifest_of
from orchestrator.store.records import write
from orchestrator.store.transfer import upload_tree
from tests.runtime.pod.conftest import PREFIX, WAIT
from tests.waiting import wait_until


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
    assert pod.fetch() == 0, pod.said
    status = each_job.status()
    assert (status.state, status.attempt, status.pod, status.queued) == (State.STARTING, 1, "demo-0-abcde", 1000)
    assert run(pod) == b"to read\n"


def test_it_may_be_run_again(job):
    job.submit("print(open(given['data_url'] + 'words').read())", data={"words": "to read"})
    pod = job.pod()
    assert pod.fetch() == 0
    (pod.volume.data / "words").write_text("half")  # as if it was killed
    assert pod.fetch() == 0
    assert job.status().attempt == 1
    assert run(pod) == b"to read\n"


def test_data_that_is_missing_is_final(job):
    job.submit("", data={"words": "to read"})
    job.store.delete(["data/manifest.json"])
    assert job.pod().fetch() == 64
    status = job.status()
    assert (status.state, status.reason) == (State.FAILED, Reason.DATA_MISSING)
    assert "data/manifest.json" in status.message and status.finished and status.hint


def test_data_that_is_damaged_is_final(job):
    job.submit("", data={"words": "to read"})
    job.store.put("data/files/words", b"to write")
    assert job.pod().fetch() == 64
    assert job.status().reason is Reason.DATA_DAMAGED


def test_code_that_is_missing_is_final(job):
    job.submit("")
    job.store.delete([job.task.code_key])
    assert job.pod().fetch() == 64
    assert job.status().reason is Reason.CODE_MISSING


def test_a_full_disk_is_final(job, small_disk):
    job.submit("", data={"words": "to read " * 2**18})
    pod = job.pod()
    pod.use(small_disk("size=1m"))
    assert pod.fetch() == 64
    assert job.status().reason is Reason.DISK_FULL


def test_a_later_pod_goes_on_with_what_an_earlier_one_has_saved(each_job, tmp_path):
    each_job.submit("print(os.listdir(given['train_url']))")
    first = each_job.pod("demo-0-first")
    assert first.fetch() == 0
    each_job.store.put(f"{PREFIX}logs/worker-0/000000000000.log", b"earlier words\n")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "checkpoint").write_text("epoch 3")
    manifest = upload_tree(each_job.store, PREFIX + "output/", tmp_path / "saved")
    output = Output(store=each_job.url, prefix=PREFIX + "output/", complete=False, manifest=manifest)
    write(each_job.store, PREFIX + "output.json", output)
    second = each_job.pod("demo-0-second")
    for _ in range(2):
        assert second.fetch() == 0
        assert each_job.status().attempt == 2
    assert run(second) == b"earlier words\n['checkpoint']\n"
    assert (second.volume.output / "checkpoint").read_text() == "epoch 3"


def test_a_worker_tells_only_its_own_part(job):
    job.submit("print(os.environ['VC_TASK_INDEX'], os.environ['VC_WORKER_HOSTS'])")
    pod = job.pod(JOB_COMPLETION_INDEX="1", MLCTL_HOSTS="demo-0.demo,demo-1.demo")
    assert pod.fetch() == 0
    assert job.status() is None
    assert job.status("status-1.json").state is State.STARTING
    assert run(pod) == b"1 demo-0.demo,demo-1.demo\n"


def test_wrong_settings_are_told(job):
    job.submit("")
    for name, value in (("MLCTL_STORE", "{"), ("MLCTL_STORE", ""), ("JOB_COMPLETION_INDEX", "1")):
        pod = job.pod(**{name: value})
        assert pod.fetch() == 2 and name in pod.said


def test_a_job_that_was_deleted_is_not_run(job):
    job.submit("")
    job.store.put(PREFIX + "job.json", msgspec.json.encode({"name": "demo", "number": 1, "deleted": 2000.0}))
    pod = job.pod()
    assert pod.fetch() == 64 and "deleted" in pod.said
    assert job.status() is None


def test_an_empty_output_is_restored(job):
    job.submit("print(os.listdir(given['train_url']))")
    assert job.pod("demo-0-first").fetch() == 0
    output = Output(store=job.url, prefix=PREFIX + "output/", complete=False, manifest=manifest_of([]))
    write(job.store, PREFIX + "output.json", output)
    second = job.pod("demo-0-second")
    assert second.fetch() == 0
    assert run(second) == b"[]\n"


def test_a_store_that_is_away_is_waited_for(job):
    job.submit("print('hello')")
    job.away()
    pod = job.pod()
    fetch = pod.start("fetch")
    wait_until(lambda: "job.json" in pod.said)
    assert fetch.poll() is None
    job.back()
    assert fetch.wait(WAIT) == 0
    assert run(pod) == b"hello\n"


def test_who_waits_can_be_ended(job):
    job.submit("print('hello')")
    job.away()
    pod = job.pod()
    fetch = pod.start("fetch")
    wait_until(lambda: "job.json" in pod.said)
    fetch.terminate()
    assert fetch.wait(WAIT) == 143


@pytest.mark.parametrize(("cancelled", "state"), [(True, State.CANCELLED), (False, State.FAILED)])
def test_a_pod_that_ends_while_it_fetches_says_so(job, cancelled, state):
    job.submit("print('hello')", data={"words": "to read"})
    data = Path(unquote(urlsplit(job.url).path)) / "data" / "files" / "words"
    data.unlink()
    os.mkfifo(data)  # reading takes for ever
    pod = job.pod()
    fetch = pod.start("fetch")
    wait_until(job.status)
    if cancelled:
        job.store.put(PREFIX + "cancel.json", b"{}")
    fetch.terminate()
    assert fetch.wait(WAIT) == 143
    assert job.status().state is state
