"""A script that is ended: what it wrote is saved, and the reason is right."""

import signal

from orchestrator.runtime.status import Reason, State
from tests.runtime.pod.conftest import PREFIX, READY, WAIT, finish, saved
from tests.waiting import wait_until


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
    pod.kill_main()  # as the kernel does for lack of memory
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
