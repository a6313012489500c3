"""sync beside the launcher: what is in the store when a pod has ended, however it ended."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestrator.runtime.output import Output
from orchestrator.runtime.status import Reason, State
from orchestrator.store.records import find
from orchestrator.store.serve import S3Server
from tests.buckets import BUCKET
from tests.runtime.pod.conftest import PREFIX, WAIT, Pod, wait_until

READY = "print('ready', flush=True)\n"


def finish(pod: Pod, sync: subprocess.Popen, main: subprocess.Popen) -> int:
    """Wait for the end of the pod, as the node does it; return the main container's exit code."""
    code = main.wait(WAIT)
    sync.terminate()
    assert sync.wait(WAIT) == 0
    return code


def saved(job, name: str = "output.json") -> dict[str, bytes]:
    """Return the saved output, which has to be what its record says."""
    output = find(job.store, PREFIX + name, Output)
    assert output is not None
    return {
        entry.path: job.store.get(output.prefix + entry.path).data
        for entry in output.manifest.entries
        if entry.kind == "file"
    }


def kill_main(pod: Pod, main: subprocess.Popen) -> None:
    """End the main container as the kernel does for lack of memory: all of it at once."""
    pod.kill_main()
    main.wait(WAIT)


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


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
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


def test_cancel_asks_the_script_to_end_and_saves_what_it_does_then(job):
    job.submit(
        """
        def stop(number, frame):
            open(given['train_url'] + 'checkpoint', 'w').write('epoch 3')
            print('bye')
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        print('ready', flush=True)
        while True: time.sleep(0.1)
        """
    )
    pod = job.pod()
    sync, main = pod.begin()
    wait_until(lambda: job.log() == b"ready\n")
    job.store.put(PREFIX + "cancel.json", b"{}")
    finish(pod, sync, main)
    assert (job.status().state, job.status().reason) == (State.CANCELLED, Reason.CANCELLED_BY_USER)
    assert saved(job) == {"checkpoint": b"epoch 3"} and job.log() == b"ready\nbye\n"


STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY + "time.sleep(600)"


def test_a_pod_that_is_deleted_saves_everything(job):
    job.submit("open(given['train_url'] + 'part', 'w').write('half')\n" + READY + "time.sleep(600)")
    pod = job.pod()
    sync, main = pod.begin()
    wait_until(lambda: pod.stdout.read_bytes() == b"ready\n")
    main.terminate()
    assert finish(pod, sync, main) == 143
    status = job.status()
    assert (status.state, status.reason, status.signal) == (State.FAILED, Reason.KILLED, "SIGTERM")
    assert status.unclear  # the cluster knows why
    assert saved(job) == {"part": b"half"} and job.log() == b"ready\n"


def test_a_cancelled_job_whose_pod_is_deleted_at_once_is_cancelled(job):
    job.submit(READY + "time.sleep(600)")
    pod = job.pod()
    sync, main = pod.begin()
    wait_until(lambda: pod.stdout.read_bytes() == b"ready\n")
    job.store.put(PREFIX + "cancel.json", b"{}")
    main.terminate()
    finish(pod, sync, main)
    assert job.status().state is State.CANCELLED


def test_a_container_that_is_killed_as_a_whole_loses_nothing(job):
    job.submit("open(given['train_url'] + 'part', 'w').write('half')\n" + READY + "time.sleep(600)")
    pod = job.pod()
    sync, main = pod.begin()
    wait_until(lambda: pod.volume.log.read_bytes() == b"ready\n" and job.status())
    kill_main(pod, main)
    assert finish(pod, sync, main) == -signal.SIGKILL
    status = job.status()
    assert (status.state, status.reason, status.signal) == (State.FAILED, Reason.KILLED, "SIGKILL")
    assert saved(job) == {"part": b"half"} and job.log() == b"ready\n"


def test_a_pod_that_ends_before_its_script_starts_says_so(job):
    job.submit("")
    pod = job.pod()
    pod.prepare()
    sync = pod.start("sync")
    wait_until(lambda: job.status())
    assert "starting" in job.status().message
    sync.terminate()
    assert sync.wait(WAIT) == 0
    assert job.status().state is State.FAILED


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


def test_a_later_pod_goes_on(job):
    job.submit(
        """
        path = given['train_url'] + 'epochs'
        before = open(path).read() if os.path.exists(path) else ''
        open(path, 'w').write(before + '1')
        print('epoch', len(before), flush=True)
        time.sleep(0 if before else 600)
        """
    )
    first = job.pod("demo-0-first")
    assert first.fetch() == 0
    sync, main = first.start("sync"), first.main()
    wait_until(lambda: first.volume.log.read_bytes() == b"epoch 0\n")
    main.terminate()
    finish(first, sync, main)
    second = job.pod("demo-0-second")
    assert second.fetch() == 0
    assert finish(second, second.start("sync"), second.main()) == 0
    assert job.log() == b"epoch 0\nepoch 1\n" == second.stdout.read_bytes()
    status = job.status()
    assert (status.state, status.attempt, status.pod) == (State.SUCCEEDED, 2, "demo-0-second")
    assert saved(job) == {"epochs": b"11"}


def test_a_node_that_is_lost_takes_little_with_it(job):
    job.submit(
        """
        out = given['train_url']
        epoch = max([int(name) for name in os.listdir(out)], default=0)
        while epoch < 3 or not os.path.exists(out + '4'):
            epoch += 1
            open(out + str(epoch), 'w').write('weights')
            if epoch > 1: os.remove(out + str(epoch - 1))
            print('epoch', epoch, flush=True)
            time.sleep(600 if epoch == 3 else 0.5)
        """
    )
    first = job.pod("demo-0-first", MLCTL_SAVE_EVERY="0.2")
    assert first.fetch() == 0
    first.start("sync"), first.main()
    wait_until(lambda: job.store.head(PREFIX + "output/3"))
    wait_until(lambda: set(saved(job)) == {"3"})
    wait_until(lambda: job.log() == b"epoch 1\nepoch 2\nepoch 3\n")
    wait_until(lambda: job.store.head(PREFIX + "output/2") is None)
    first.kill_all()
    second = job.pod("demo-0-second")
    assert second.fetch() == 0
    assert finish(second, second.start("sync"), second.main()) == 0
    assert job.log() == b"epoch 1\nepoch 2\nepoch 3\nepoch 4\n"
    assert saved(job) == {"4": b"weights"}
    assert job.store.head(PREFIX + "output/3") is None


def test_a_pod_that_comes_back_does_not_spoil_what_a_later_one_does(job):
    job.submit(
        """
        open(given['train_url'] + 'of', 'w').write(os.environ['OF'])
        print(os.environ['OF'], flush=True)
        time.sleep(600 if os.environ['OF'] == 'first' else 0)
        """
    )
    first, second = job.pod("demo-0-first"), job.pod("demo-0-second")
    first.image["OF"], second.image["OF"] = "first", "second"
    assert first.fetch() == 0
    sync, main = first.start("sync"), first.main()
    wait_until(lambda: job.log() == b"first\n" and job.status().state is State.RUNNING)
    sync.send_signal(signal.SIGSTOP)
    assert second.fetch() == 0
    assert finish(second, second.start("sync"), second.main()) == 0
    sync.send_signal(signal.SIGCONT)
    main.terminate()
    finish(first, sync, main)
    assert (job.status().state, job.status().attempt) == (State.SUCCEEDED, 2)
    assert job.log() == b"first\nsecond\n" and saved(job) == {"of": b"second"}


def workers(job) -> list[Pod]:
    hosts = "demo-0.demo,demo-1.demo"
    return [job.pod(f"demo-{index}", JOB_COMPLETION_INDEX=str(index), MLCTL_HOSTS=hosts) for index in range(2)]


def test_workers_save_their_own_parts(job):
    job.submit("i = os.environ['VC_TASK_INDEX']\nopen(given['train_url'] + 'of', 'w').write(i)\nprint('worker', i)")
    pods = workers(job)
    assert [pod.fetch() for pod in pods] == [0, 0]
    begun = [(pod, pod.start("sync"), pod.main()) for pod in pods]
    assert [finish(*one) for one in begun] == [0, 0]
    assert saved(job) == {"of": b"0", "worker-1/of": b"1"}
    assert (job.log(0), job.log(1)) == (b"worker 0\n", b"worker 1\n")
    assert job.status().state is job.status("status-1.json").state is State.SUCCEEDED


def test_the_worker_that_failed_is_named(job):
    job.submit("print('worker', os.environ['VC_TASK_INDEX'])\nif os.environ['VC_TASK_INDEX'] == '1': sys.exit(3)")
    pods = workers(job)
    assert [pod.fetch() for pod in pods] == [0, 0]
    begun = [(pod, pod.start("sync"), pod.main()) for pod in pods]
    assert [finish(*one) for one in begun] == [0, 3]
    status = job.status()
    assert (status.state, status.reason, status.exit_code) == (State.FAILED, Reason.USER_ERROR, 3)
    assert status.message.startswith("worker 1: ") and status.last_lines == ["worker 1"]
