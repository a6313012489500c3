"""Metrics in a pod: read by the sidecar, in a restarted one and in a later pod as well."""

import signal

from orchestrator.metrics.patterns import Measures
from orchestrator.metrics.table import Table
from orchestrator.runtime.guests import USUAL
from orchestrator.store.records import find
from tests.runtime.pod.conftest import PREFIX, finish
from tests.waiting import wait_until

FIELDS = {"measures": Measures(styles=("mxnet",), total=4, unit="epoch"), "guests": USUAL}
NVIDIA_SMI = "while :; do echo '0, 37, 1024'; echo '1, [N/A], 2048'; sleep 0.1; done"


def table(job) -> Table:
    return find(job.store, PREFIX + "metrics.json", Table) or Table()


def values(job, name):
    series = table(job).find(name)
    return [point.value for point in series.points] if series else []


def test_what_script_and_machine_do_is_in_the_store_while_it_runs(job):
    job.python(NVIDIA_SMI, name="nvidia-smi")
    job.submit(
        """
        import mlctl
        print("Epoch[0] Validation-accuracy=0.5", flush=True)
        mlctl.log(distance=3)
        while not os.path.exists(given["train_url"] + "go"):
            time.sleep(0.05)
        print("Epoch[1] Validation-accuracy=0.75", flush=True)
        """,
        **FIELDS,
    )
    pod = job.pod()
    assert pod.fetch() == 0
    sync, main = pod.start("sync"), pod.main()
    wait_until(lambda: values(job, "validation_accuracy") and values(job, "gpu0_percent"))
    assert values(job, "distance") == [3.0]
    assert values(job, "gpu0_percent")[0] == 37
    assert values(job, "gpu1_memory")[0] == 2048 << 20
    assert not values(job, "gpu1_percent")
    (pod.volume.output / "go").touch()
    assert finish(pod, sync, main) == 0
    assert values(job, "validation_accuracy") == [0.5, 0.75]
    status = job.status()
    assert status.metrics["validation_accuracy"].best.value == 0.75
    assert status.progress.share == 0.5


def test_a_sidecar_that_was_killed_counts_nothing_twice(job):
    job.submit(
        """
        print("Epoch[0] Validation-accuracy=0.5", flush=True)
        while not os.path.exists(given["train_url"] + "go"):
            time.sleep(0.05)
        print("Epoch[1] Validation-accuracy=0.75", flush=True)
        """,
        **FIELDS,
    )
    pod = job.pod()
    sync, main = pod.begin()
    wait_until(lambda: values(job, "validation_accuracy"))
    sync.send_signal(signal.SIGKILL)
    sync.wait()
    sync = pod.start("sync")
    (pod.volume.output / "go").touch()
    assert finish(pod, sync, main) == 0
    assert values(job, "validation_accuracy") == [0.5, 0.75]
