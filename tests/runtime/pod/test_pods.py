"""Several pods of one job: one after the other, and beside each other."""

import signal
import time
from pathlib import Path

import msgspec

from orchestrator.runtime.logread import LogReader
from orchestrator.runtime.status import Reason, State, Status
from tests.runtime.pod.conftest import PREFIX, Pod, finish, saved
from tests.waiting import wait_until


def test_a_later_pod_goes_on(job):
    job.submit(
        """
        path = given['train_url'] + 'epochs'
        before = open(path).read() if os.path.exists(path) else ''
        open(path, 'w').write(before + '1')
        print('epoch', len(before), 'attempt', os.environ['MLCTL_ATTEMPT'], flush=True)
        time.sleep(0 if before else 600)
        """
    )
    first = job.pod("demo-0-first")
    assert first.fetch() == 0
    sync, main = first.start("sync"), first.main()
    wait_until(lambda: first.volume.log.read_bytes() == b"epoch 0 attempt 1\n")
    main.terminate()
    finish(first, sync, main)
    second = job.pod("demo-0-second")
    assert second.fetch() == 0
    assert finish(second, second.start("sync"), second.main()) == 0
    assert job.log() == b"epoch 0 attempt 1\nepoch 1 attempt 2\n" == second.stdout.read_bytes()
    for speaker, lines in (("fetch", 2), ("sync", 4)):
        words = LogReader(job.store, f"{PREFIX}logs/{speaker}-0/", None)
        assert b"".join(words.read(0, words.size())).count(b"\n") == lines
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


def test_a_failure_is_final_only_when_it_is_not_tried_again(job):
    job.submit("print('alas', flush=True); sys.exit(3)")
    for attempt, state in ((1, State.RECOVERING), (2, State.FAILED)):
        pod = job.pod(f"demo-0-{attempt}", MLCTL_RETRIES="1")
        assert pod.fetch() == 0
        assert finish(pod, pod.start("sync"), pod.main()) == 3
        status = job.status()
        assert (status.state, status.reason, status.attempt) == (state, Reason.USER_ERROR, attempt)
        assert ("started again" in status.message) == (attempt == 1)
    assert job.log() == b"alas\nalas\n"


def test_a_budget_is_for_all_attempts(job):
    job.submit("time.sleep(600)", max_duration=3600, budget="5.00 CNY")
    before = Status(pod="demo-0-first", started=10_000, heartbeat=13_000, earlier=599)
    job.store.put(PREFIX + "status.json", msgspec.json.encode(before))
    second = job.pod("demo-0-second")
    assert second.fetch() == 0
    finish(second, second.start("sync"), second.main())
    status = job.status()
    assert (status.state, status.reason, status.earlier) == (State.FAILED, Reason.BUDGET_EXCEEDED, 3599)


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
    stop_between_writes(sync)
    assert second.fetch() == 0
    assert finish(second, second.start("sync"), second.main()) == 0
    sync.send_signal(signal.SIGCONT)
    main.terminate()
    finish(first, sync, main)
    assert (job.status().state, job.status().attempt) == (State.SUCCEEDED, 2)
    assert job.log() == b"first\nsecond\n" and saved(job) == {"of": b"second"}


def stop_between_writes(process) -> None:
    """Stop a process while it holds no lock of the folder that is the store here; buckets have none."""
    while True:
        process.send_signal(signal.SIGSTOP)
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        if not any(fields[1] == "FLOCK" and fields[4] == str(process.pid) for fields in locks):
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.01)


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
