"""What goes wrong with a job in a cluster: each a clear outcome, and nothing of it left behind."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from orchestrator.client import Client
from orchestrator.errors import NotFoundError, PermissionDeniedError, PreflightError
from orchestrator.runtime.status import Reason, State, Status
from orchestrator.store.records import find
from tests.jobs.conftest import project  # noqa: F401
from tests.kubernetes.standin import Standin, ours
from tests.kubernetes.test_jobs import Lab, lab  # noqa: F401
from tests.waiting import wait_until

THREADS = 20


def test_a_namespace_that_is_missing(lab: Lab) -> None:  # noqa: F811
    lab.change(namespace="nowhere")
    with pytest.raises(NotFoundError, match=r'namespace "?nowhere') as caught:
        lab.create()
    assert "kubectl create namespace nowhere" in caught.value.hint
    assert list(lab.client.jobs.list()) == []


def test_a_script_that_is_missing(lab: Lab) -> None:  # noqa: F811
    with pytest.raises(PreflightError, match=r"absent\.py"):
        lab.create(boot_file="absent.py")


def test_an_image_that_is_not_there(lab: Lab, standin: Standin) -> None:  # noqa: F811
    standin.image_missing("registry.lab/absent:1")
    lab.create(kubernetes={"image": "registry.lab/absent:1"})
    wait_until(lambda: lab.client.jobs.get("demo").status.reason is Reason.IMAGE_PULL)
    status = lab.client.jobs.get("demo").status
    assert "registry.lab/absent:1" in status.message and status.hint


def test_a_cancel_does_not_wait_for_an_image(lab: Lab, standin: Standin) -> None:  # noqa: F811
    standin.images.add("slow", msgspec.structs.replace(ours(), pull_seconds=600))
    lab.create(kubernetes={"image": "registry.lab/slow:1"})
    wait_until(lambda: "starting the script's container" in told(lab), "the sidecar to begin")
    assert lab.client.jobs.cancel("demo").status.state is State.CANCELLED


def told(lab: Lab) -> str:  # noqa: F811
    """Return what the pod has told the store last."""
    found = find(lab.client.store, "jobs/demo/V0001/status.json", Status)
    return found.message if found else ""


def test_a_volume_that_is_full(lab: Lab, standin: Standin) -> None:  # noqa: F811
    lab.script("""
        open(train_url + "weights", "wb").write(bytes(3 << 20))
        print("written", flush=True)
        time.sleep(600)
    """)
    view = lab.create(kubernetes={"disk": "2Mi"})
    lab.wait_for_log(view, b"written\n")
    (pod,) = standin.objects("pods")
    assert standin.weigh(pod["metadata"]["name"])
    status = lab.client.jobs.wait("demo").status
    assert (status.state, status.reason) == (State.FAILED, Reason.DISK_FULL)
    assert 'volume "mlctl" exceeds the limit "2Mi"' in status.message
    assert lab.log(view) == b"written\n"
    assert len(standin.objects("pods")) <= 1, "it would be the same again"


@pytest.mark.parametrize(
    ("verb", "resource", "rule"),
    [
        ("delete", "jobs", '{apiGroups: ["batch"], resources: ["jobs"], verbs: ["delete"]}'),
        ("create", "secrets", '{apiGroups: [""], resources: ["secrets"], verbs: '),
    ],
)
def test_a_right_that_is_missing_is_named(
    lab: Lab,  # noqa: F811
    standin: Standin,
    verb: str,
    resource: str,
    rule: str,
) -> None:
    standin.faults.deny("patch" if verb == "create" else verb, resource)
    with pytest.raises(PermissionDeniedError) as caught:
        lab.create(resources={"gpus": 64})
        lab.client.jobs.cancel("demo")
    assert rule in caught.value.hint and caught.value.exit_code == 6


def test_without_the_right_to_look_the_store_is_believed(lab: Lab, standin: Standin) -> None:  # noqa: F811
    view = lab.run()
    standin.faults.deny("*", "jobs")
    assert lab.client.jobs.get(view.name).status.state is State.SUCCEEDED
    assert lab.log(view) == b"hello\n"


@pytest.mark.journey
def test_many_who_create_at_once_lose_nothing_and_make_nothing_twice(lab: Lab, standin: Standin) -> None:  # noqa: F811
    spec = lab.write(resources={"gpus": 64})
    with ThreadPoolExecutor(THREADS) as pool:
        views = list(pool.map(lambda _: Client("lab").jobs.create(spec), range(THREADS)))
    assert sorted(view.record.number for view in views) == list(range(1, THREADS + 1))
    made = Counter(job["metadata"]["labels"]["mlctl/version"] for job in standin.objects("jobs"))
    assert made == {view.version: 1 for view in views}
    assert len({view.record.run for view in views}) == THREADS
