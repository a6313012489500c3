"""`mlctl logs` of what works beside the script, and of jobs with several workers: live, and when the pods are gone."""

import pytest

from orchestrator.errors import NotFoundError
from orchestrator.runtime.status import State
from tests.jobs.conftest import project  # noqa: F401
from tests.kubernetes.clusters import Cluster
from tests.kubernetes.standin import Standin
from tests.kubernetes.test_jobs import Lab, lab  # noqa: F401
from tests.waiting import wait_until

WAITING, SAVING = b" waiting for the script\n", b" the script has ended: saving its log and output\n"


def remove(cluster: Cluster, standin: Standin) -> None:
    """Take a job's objects away, as its `ttl` does."""
    for name in [job["metadata"]["name"] for job in standin.objects("jobs")]:
        cluster.call("DELETE", f"apis/batch/v1:jobs/{name}", query={"propagationPolicy": "Background"})
    wait_until(lambda: not standin.objects("pods"))


def test_what_fetch_and_sync_say_is_shown_live_and_kept(lab: Lab, cluster: Cluster, standin: Standin) -> None:  # noqa: F811
    go = lab.folder / "go"
    lab.script(f"print('begun', flush=True)\nwhile not os.path.exists({str(go)!r}): time.sleep(0.05)")
    view = lab.create()
    lab.wait_for_log(view, b"begun\n")
    assert lab.log(view, source="fetch").endswith(b" code and data are there\n")
    wait_until(lambda: lab.log(view, source="sync").endswith(WAITING))
    followed = lab.client.jobs.logs(view.name, view.version, source="sync", follow=True)
    assert next(followed).endswith(WAITING)
    go.touch()
    rest = b"".join(followed)
    assert rest.endswith(SAVING)
    assert lab.client.jobs.wait(view.name).status.state is State.SUCCEEDED
    kept = lab.log(view, source="sync")
    remove(cluster, standin)
    assert lab.log(view, source="sync") == kept
    assert kept.endswith(SAVING) and kept.count(b"\n") == 2
    assert lab.log(view, source="fetch").count(b"\n") == 1
    assert lab.log(view) == b"begun\n"


def test_what_an_earlier_pod_said_is_not_forgotten(lab: Lab, standin: Standin) -> None:  # noqa: F811
    lab.script("""
        print("attempt", os.environ["MLCTL_ATTEMPT"], flush=True)
        time.sleep(0 if os.environ["MLCTL_ATTEMPT"] == "2" else 600)
    """)
    view = lab.create()
    lab.wait_for_log(view, b"attempt 1\n")
    wait_until(lambda: WAITING in lab.log(view, source="sync"))
    standin.drain("node-1")
    wait_until(lambda: lab.client.jobs.get("demo").status.state is State.RECOVERING)
    standin.add_node("node-2")
    assert lab.client.jobs.wait("demo").status.state is State.SUCCEEDED
    assert lab.log(view) == b"attempt 1\nattempt 2\n"
    assert lab.log(view, source="sync").count(WAITING) == 2
    assert lab.log(view, source="fetch").count(b"\n") == 2


def test_a_store_that_the_pod_does_not_reach_is_told_by_what_fetch_says(
    lab: Lab,  # noqa: F811
    cluster: Cluster,
    standin: Standin,
) -> None:
    lab.change(cluster_endpoint="http://127.0.0.1:9")
    view = lab.create()
    wait_until(lambda: b"cannot reach" in lab.log(view, source="fetch"))
    status = lab.client.jobs.get(view.name).status
    assert status.state in (State.PENDING, State.STARTING)
    assert "--source fetch" in status.hint
    lab.client.jobs.cancel(view.name)
    remove(cluster, standin)
    assert lab.log(view, source="fetch") == b"", "it is nowhere any more"


def test_several_workers_are_told_apart(lab: Lab, cluster: Cluster, standin: Standin) -> None:  # noqa: F811
    go = lab.folder / "go"
    lab.script(f"""
        me = os.environ["VC_TASK_INDEX"]
        print("I am", me, flush=True)
        while not os.path.exists({str(go)!r}): time.sleep(0.05)
        print("done", end="")
    """)
    view = lab.create(resources={"nodes": 2, "cpus": 1})
    seen = b""
    for block in lab.client.jobs.logs(view.name, view.version, follow=True):
        seen += block
        if b"I am 0\n" in seen and b"I am 1\n" in seen:
            go.touch()
    assert sorted(seen.splitlines()) == [
        f"[worker-{n}] {said}".encode() for n in (0, 1) for said in (f"I am {n}", "done")
    ]
    assert lab.client.jobs.wait(view.name).status.state is State.SUCCEEDED
    remove(cluster, standin)
    assert sorted(lab.log(view).splitlines()) == sorted(seen.splitlines())
    assert lab.log(view, worker=1) == b"I am 1\ndone"
    assert lab.log(view, tail=1, grep="d").splitlines() == [b"[worker-0] done", b"[worker-1] done"]
    assert lab.log(view, worker=1, source="fetch").endswith(b" code and data are there\n")
    with pytest.raises(NotFoundError, match="demo/V0001 has no worker 2") as caught:
        lab.log(view, worker=2)
    assert "0 to 1" in caught.value.hint
