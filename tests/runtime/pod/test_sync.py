"""sync beside the launcher: what is in the store when a script has ended by itself."""

import signal

import pytest

from orchestrator.runtime.status import Reason, State
from tests.runtime.pod.conftest import READY, WAIT, finish, saved
from tests.waiting import wait_until


def test_the_container_succeeds_only_when_everything_is_saved(each_job):
    each_job.submit(
        """
        os.mkdir(given['train_url'] + 'model')
        open(given['train_url'] + 'model/weights', 'w').write('1 2 3')
        print(open(given['data_url'] + 'words').read())
        """,
        data={"words": "to read"},
    )
    pod = each_job.pod()
    assert pod.fetch() == 0
    sync, main = pod.start("sync"), pod.main()
    assert main.wait(WAIT) == 0
    assert saved(each_job) == {"model/weights": b"1 2 3"}
    assert each_job.log() == b"to read\n" == pod.stdout.read_bytes()
    status = each_job.status()
    assert (status.state, status.reason, status.exit_code) == (State.SUCCEEDED, None, 0)
    assert status.output_complete and (status.output_files, status.output_bytes) == (1, 5)
    assert 1000 == status.queued < status.started <= status.finished <= status.heartbeat
    assert (status.attempt, status.pod) == (1, "demo-0-abcde")
    assert finish(pod, sync, main) == 0


def test_what_a_failed_script_wrote_is_saved(job):
    job.submit("open(given['train_url'] + 'part', 'w').write('half'); print('alas'); sys.exit(3)")
    pod = job.pod()
    assert finish(pod, *pod.begin()) == 3
    assert saved(job) == {"part": b"half"}
    status = job.status()
    assert (status.state, status.reason, status.exit_code) == (State.FAILED, Reason.USER_ERROR, 3)
    assert status.last_lines == ["alas"] and not status.output_complete and status.hint


@pytest.mark.parametrize("number", [signal.SIGSEGV])
def test_a_signal_is_told(job, number):
    job.submit(f"os.kill(os.getpid(), {int(number)})")
    pod = job.pod()
    assert finish(pod, *pod.begin()) == 128 + number
    assert (job.status().state, job.status().signal) == (State.FAILED, number.name)


def test_no_output_is_an_empty_output(job):
    job.submit("")
    pod = job.pod()
    assert finish(pod, *pod.begin()) == 0
    assert saved(job) == {} and job.log() == b""


def test_the_bytes_of_the_log_are_those_of_the_script(job):
    job.submit(
        """
        data = bytes(range(256)) * 4096
        for _ in range(100):
            sys.stdout.buffer.write(data)
        sys.stdout.buffer.write(b'no end of line')
        """
    )
    pod = job.pod()
    assert finish(pod, *pod.begin()) == 0
    assert job.log() == bytes(range(256)) * 4096 * 100 + b"no end of line"


def test_a_boot_file_that_is_missing_is_told_by_python(job):
    job.submit("", boot_file="other.py")
    pod = job.pod()
    assert finish(pod, *pod.begin()) == 2
    assert b"other.py" in job.log() and job.status().reason is Reason.USER_ERROR


def test_an_image_without_python_is_told(job, tmp_path):
    job.submit("")
    (job.folder / "bin" / "python").unlink()
    pod = job.pod()
    pod.only_tools(tmp_path / "tools")
    assert finish(pod, *pod.begin()) == 127
    status = job.status()
    assert (status.state, status.reason) == (State.FAILED, Reason.START_FAILED)
    assert "neither python nor python3" in status.message


def test_a_running_script_is_seen(job):
    job.submit(READY + "time.sleep(600)")
    pod = job.pod()
    pod.begin()
    wait_until(lambda: job.log() == b"ready\n")
    wait_until(lambda: (status := job.status()) and status.state is State.RUNNING)
    assert job.status().started and job.status().heartbeat
