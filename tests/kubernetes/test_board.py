"""`mlctl tensorboard --in-cluster`: the real program in a pod, asked through the API server."""

import urllib.request
from pathlib import Path

import pytest

from orchestrator.errors import MlctlError, NotFoundError, UsageError
from orchestrator.progress import SILENT
from orchestrator.tensorboard.environment import board_python
from tests.jobs.conftest import project
from tests.kubernetes.clusters import Cluster
from tests.kubernetes.standin import Standin
from tests.kubernetes.standin.images import PATH, Image
from tests.kubernetes.test_jobs import Lab, lab
from tests.tensorboard.conftest import Shown
from tests.tensorboard.events import header, losses
from tests.waiting import wait_until

__all__ = ["lab", "project"]


def boards(cluster: Cluster) -> list[str]:
    kinds = ("apis/batch/v1:jobs", "api/v1:services", "api/v1:pods")
    names = [one["metadata"]["name"] for kind in kinds for one in cluster.call("GET", kind).body["items"]]
    return [name for name in names if name.startswith("mlctl-board-")]


@pytest.fixture
def writing(lab: Lab, standin: Standin, tmp_path: Path) -> Lab:
    """Give a lab whose jobs write event files, and whose nodes have TensorBoard's image."""
    standin.images.add("tensorflow-2", Image(environment={"PATH": f"{board_python(SILENT).parent}:{PATH}"}))
    (lab.folder / "code" / "events").write_bytes(header() + losses(0, 10))
    lab.script("""
        here = os.path.dirname(os.path.abspath(__file__))
        open(train_url + "events.out.tfevents.1.host", "wb").write(open(here + "/events", "rb").read())
    """)
    return lab


def test_the_curves_of_two_versions_are_shown_until_ctrl_c(writing: Lab, cluster: Cluster) -> None:
    assert [writing.run().status.state for _ in range(2)] == ["SUCCEEDED"] * 2
    shown = Shown("demo", "-v", "v1,v2", "--in-cluster", "--port", "0", "--stop-after", "10m", "-c", "lab")
    try:
        assert b"<html" in urllib.request.urlopen(shown.url, timeout=60).read().lower()
        wait_until(lambda: [shown.steps(run) for run in ("V0001", "V0002")] == [list(range(10))] * 2)
        assert len(boards(cluster)) == 3
        code, said = shown.end()
    finally:
        shown.process.kill()
    assert code == 0 and "TensorBoard is Job mlctl-board-" in said and "ends after 10m" in said
    wait_until(lambda: not boards(cluster))


def test_it_ends_when_its_time_is_over(writing: Lab, cluster: Cluster) -> None:
    writing.run()
    with writing.client.cluster_tensorboard("demo", seconds=600, port=0) as board:
        board.serve(0.1)
    wait_until(lambda: not boards(cluster))


def test_a_pod_that_ends_is_told(writing: Lab, standin: Standin, cluster: Cluster) -> None:
    writing.run()
    standin.images.add("tensorflow-2", Image(environment={"PATH": "/dev"}))
    with pytest.raises(MlctlError), writing.client.cluster_tensorboard("demo", seconds=600, port=0):
        pass
    wait_until(lambda: not boards(cluster))


def test_versions_without_events_and_contexts_without_clusters_are_refused(lab: Lab, cluster: Cluster) -> None:
    lab.run()
    with pytest.raises(NotFoundError, match="has no event files"), lab.client.cluster_tensorboard("demo", seconds=60):
        pass
    lab.context = "local"
    with pytest.raises(UsageError, match="has no cluster"), lab.client.cluster_tensorboard("demo", seconds=60):
        pass
    assert not boards(cluster)
