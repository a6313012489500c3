"""Servers beside a pod's script: started by the launcher, ended with the container."""

import msgspec
import pytest

from orchestrator.runtime.pod.volume import beside
from orchestrator.runtime.worker import Worker
from tests.runtime.pod.conftest import SHELLS, WAIT
from tests.waiting import wait_until

PAIR = Worker(index=0, hosts=("127.0.0.1", "127.0.0.1"))
SCRIPT = """
    given = dict(word[2:].split("=", 1) for word in sys.argv[1:])
    print(given["job_name"], flush=True)
    if given["job_name"] == "ps": time.sleep(600)
    while True:
        if "ps" in open(os.environ["LOG"]).read().split(): break
        time.sleep(0.05)
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_a_parameter_server_runs_beside_the_script(job, shell):
    job.submit(SCRIPT)
    pod = job.pod()
    job.task = msgspec.structs.replace(
        job.task, flags=("job_name", "ps_hosts"), environment={"LOG": str(pod.volume.log)}
    )
    pod.prepare()
    pod.volume.prepare(pod.volume.order(), PAIR, {})
    main = pod.main(shell)
    wait_until(lambda: pod.volume.exit() is not None)
    pod.volume.ask("saved")
    assert main.wait(WAIT) == 0
    assert sorted(pod.volume.log.read_text().split()) == ["ps", "worker"]


def test_one_worker_has_none(job):
    job.submit("pass")
    pod = job.pod()
    pod.prepare()
    assert beside(pod.volume.order(), pod.volume, Worker(), {}) == ""
