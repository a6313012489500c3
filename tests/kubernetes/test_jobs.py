"""A job on a cluster, from `create` to its saved output, with the official client and real containers' commands."""

import textwrap

import msgspec
import pytest

from orchestrator import config
from orchestrator.client import Client
from orchestrator.errors import PreflightError
from orchestrator.runtime.status import Reason, State
from tests.buckets import Bucket
from tests.jobs.conftest import Project, project  # noqa: F401
from tests.kubernetes.clusters import Cluster
from tests.kubernetes.standin import Standin, ours
from tests.waiting import wait_until


class Lab(Project):
    """A project whose jobs run on a cluster."""

    context = "lab"

    @property
    def client(self) -> Client:
        return Client(self.context)

    def change(self, **fields: str) -> None:
        """Go on with a context that differs in this."""
        changed = msgspec.structs.replace(config.get_context(self.context), name=f"{self.context}-changed", **fields)
        self.context = config.add_context(changed).name


@pytest.fixture
def lab(project: Project, cluster: Cluster, standin: Standin, bucket_url: str, s3: Bucket) -> Lab:  # noqa: F811
    config.add_context(
        config.Context(
            name="lab",
            store=bucket_url,
            endpoint=s3.endpoint,
            backend="kubernetes",
            kubeconfig=str(cluster.kubeconfig),
            namespace=cluster.namespace,
            runtime_image="mlctl/runtime:test",
        )
    )
    standin.images.add("runtime", ours())
    standin.images.add("plain", ours())
    project.__class__ = Lab
    return project


def test_a_job_trains_and_keeps_its_version(lab: Lab) -> None:
    lab.script("""
        print("hello", given["num_epochs"])
        open(train_url + "model.txt", "w").write("weights")
    """)
    view = lab.run(parameters={"num_epochs": 3})
    assert (view.status.state, view.status.message) == (State.SUCCEEDED, "")
    assert lab.log(view) == b"hello 3\n"
    outputs = lab.client.jobs.outputs(view.name)
    assert outputs.complete and [entry.path for entry in outputs.manifest.entries] == ["model.txt"]


def test_an_exit_code_comes_through_and_what_was_written_is_kept(lab: Lab) -> None:
    lab.script("""
        open(train_url + "partial.txt", "w").write("half")
        print("about to fail", flush=True)
        sys.exit(3)
    """)
    view = lab.run()
    assert (view.status.state, view.status.reason, view.status.exit_code) == (State.FAILED, Reason.USER_ERROR, 3)
    assert lab.log(view) == b"about to fail\n"
    assert [entry.path for entry in lab.client.jobs.outputs(view.name).manifest.entries] == ["partial.txt"]


def test_a_running_job_is_followed_and_cancelled(lab: Lab) -> None:
    lab.script("""
        import signal
        signal.signal(signal.SIGTERM, lambda *_: (print("told to stop", flush=True), sys.exit(0)))
        print("begun", flush=True)
        time.sleep(60)
    """)
    view = lab.create()
    lab.wait_for_log(view, b"begun\n")
    assert lab.wait_for_state(view, State.RUNNING).status.started
    view = lab.client.jobs.cancel(view.name)
    assert (view.status.state, view.status.reason) == (State.CANCELLED, Reason.CANCELLED_BY_USER)
    assert lab.log(view) == b"begun\ntold to stop\n"


def test_what_is_missing_is_told_while_it_waits(lab: Lab) -> None:
    view = lab.create(resources={"gpus": 2, "gpu_type": "p100"})
    view = lab.wait_for_state(view, State.PENDING)
    wait_until(lambda: lab.client.jobs.get(view.name).status.reason is Reason.UNSCHEDULABLE)
    status = lab.client.jobs.get(view.name).status
    assert status.details == ["node-1: has no GPU of that kind"]
    assert textwrap.shorten(status.hint, 500)
    cancelled = lab.client.jobs.cancel(view.name)
    assert cancelled.status.state is State.CANCELLED


def test_what_the_cluster_refuses_is_told_before_anything_is_recorded(lab: Lab) -> None:
    with pytest.raises(PreflightError, match="hostnetwork") as caught:
        lab.create(kubernetes={"pod": {"hostnetwork": True}})
    assert "--dry-run" in caught.value.hint
    assert list(lab.client.jobs.list()) == []


def test_the_manifests_that_are_shown_are_those_that_are_made(lab: Lab, cluster: Cluster) -> None:
    lab.fields["resources"] = {"gpus": 64}  # it never starts
    (shown,) = lab.client.jobs.manifests(lab.client.jobs.plan(lab.write()))
    view = lab.create()
    (made,) = cluster.call("GET", "apis/batch/v1:jobs").body["items"]
    differing = {key for key, value in shown["spec"].items() if made["spec"][key] != value}
    assert differing <= {"template", "podFailurePolicy"}  # what the run's id and the defaults are in
    assert made["metadata"]["labels"]["mlctl/version"] == shown["metadata"]["labels"]["mlctl/version"] == view.version
