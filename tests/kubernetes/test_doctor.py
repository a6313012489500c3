"""mlctl doctor where jobs run on a cluster."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from orchestrator import config
from orchestrator.backends.kubernetes.pods import Ended
from orchestrator.doctor import Finding, Level, findings
from orchestrator.doctor.inside import verdict
from tests.buckets import Bucket
from tests.kubernetes.clusters import Cluster, open_cluster
from tests.kubernetes.standin import Settings, Standin, ours
from tests.waiting import wait_until

RUNTIME = "mlctl/runtime:test"


@pytest.fixture
def context(cluster: Cluster, standin: Standin, bucket_url: str, s3: Bucket) -> config.Context:
    standin.images.add("runtime", ours())
    return config.add_context(lab(cluster, bucket_url, s3.endpoint))


def lab(cluster: Cluster, store: str, endpoint: str, **more: str) -> config.Context:
    return config.Context(
        name=more.pop("name", "lab"),
        store=store,
        endpoint=endpoint,
        backend="kubernetes",
        kubeconfig=str(cluster.kubeconfig),
        namespace=cluster.namespace,
        runtime_image=RUNTIME,
        **more,
    )


def of(subject: str, found: Iterator[Finding] | list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.subject == subject]


def jobs_of(standin: Standin) -> int:
    return standin.faults.calls["create", "jobs"]


def test_all_is_well_and_nothing_stays(context: config.Context, cluster: Cluster, standin: Standin) -> None:
    standin.add_node("big", gpus=4, labels={"nvidia.com/gpu.product": "Tesla-P100-PCIE-16GB"})
    found = list(findings("lab"))
    assert {finding.level for finding in found} == {Level.OK}, found
    assert [finding.message for finding in of("GPUs", found)] == ["4 p100 (nvidia.com/gpu), 4 free"]
    assert of("pod", found)[0].message == f"{RUNTIME} was pulled, on node {_node(found)}"
    assert "conditional writes hold" in of("store in the pod", found)[0].message
    assert of("engine pytorch-2", found)[0].message == "mlctl/pytorch-2:2.13.0-cpu, mlctl/pytorch-2:2.13.0-gpu"
    assert not of("uv", found), "nothing is built on this machine"
    assert cluster.call("GET", "apis/batch/v1:jobs").body["items"] == []


def _node(found: list[Finding]) -> str:
    return of("pod", found)[0].message.split()[-1]


def test_gpus_in_use_are_not_free(context: config.Context, cluster: Cluster, standin: Standin) -> None:
    standin.add_node("big", gpus=4, labels={"nvidia.com/gpu.product": "Tesla-P100-PCIE-16GB"})
    limits = {"limits": {"nvidia.com/gpu": "3"}}
    container = {"name": "main", "image": "busybox", "command": ["sleep", "60"], "resources": limits}
    pod = {"metadata": {"name": "busy"}, "spec": {"restartPolicy": "Never", "containers": [container]}}
    cluster.call("POST", "api/v1:pods", pod)
    wait_until(lambda: cluster.get("pods", "busy")["spec"].get("nodeName"), "a node for the pod")
    gpus = of("GPUs", findings("lab", pod=False))
    assert [finding.message for finding in gpus] == ["4 p100 (nvidia.com/gpu), 1 free"]


def test_missing_rights_are_told_as_rules(context: config.Context, standin: Standin) -> None:
    standin.faults.deny("delete", "jobs")
    standin.faults.deny("*", "nodes")
    standin.faults.deny("*", "pods/exec")
    found = list(findings("lab", pod=False))
    rights = {finding.message: finding for finding in of("rights", found)}
    missing = rights["no right to delete jobs"]
    assert missing.level is Level.FAIL
    assert missing.hint == 'add to the Role: {apiGroups: ["batch"], resources: ["jobs"], verbs: ["delete"]}'
    assert rights["no right to create, get pods/exec: no shell in a job"].level is Level.WARN
    assert any("ClusterRole" in finding.hint for finding in rights.values())
    assert of("GPUs", found)[0].level is Level.WARN


def test_without_a_pod_none_is_made(context: config.Context, standin: Standin) -> None:
    found = list(findings("lab", pod=False))
    assert not of("pod", found) and jobs_of(standin) == 0


def test_an_image_that_cannot_be_pulled(context: config.Context, cluster: Cluster, standin: Standin) -> None:
    standin.image_missing(RUNTIME)
    pod = of("pod", findings("lab"))[-1]
    assert pod.level is Level.FAIL
    assert RUNTIME in pod.message and "not found" in pod.message
    assert cluster.call("GET", "apis/batch/v1:jobs").body["items"] == []


def test_a_store_that_pods_do_not_reach(cluster: Cluster, standin: Standin, bucket_url: str, s3: Bucket) -> None:
    standin.images.add("runtime", ours())
    config.add_context(lab(cluster, bucket_url, s3.endpoint, cluster_endpoint="http://127.0.0.1:9"))
    found = list(findings("lab"))
    assert of("store", found)[0].level is Level.OK
    inside = of("store in the pod", found)[0]
    assert inside.level is Level.FAIL and "127.0.0.1:9" in inside.message and inside.hint


def test_a_runtime_image_that_does_not_know_the_check() -> None:
    said = "usage: python -m orchestrator.runtime.pod fetch|sync"
    found = verdict(said, Ended(code=2, reason="Error", message="", finished=0.0))
    assert found.level is Level.FAIL and found.message == said and "mlctl images build runtime" in found.hint


def test_a_namespace_that_is_not_there(context: config.Context, cluster: Cluster, bucket_url: str, s3: Bucket) -> None:
    config.add_context(replace(lab(cluster, bucket_url, s3.endpoint), name="lost", namespace="nowhere"))
    missing = of("namespace", findings("lost", pod=False))[0]
    assert missing.level is Level.FAIL and missing.hint == "kubectl create namespace nowhere"


def test_a_cluster_that_does_not_answer_is_told_once(
    cluster: Cluster, bucket_url: str, s3: Bucket, tmp_path: Path
) -> None:
    away = tmp_path / "away.yaml"
    away.write_text(re.sub(r"(server: \"?\w+://[^:]+):\d+", r"\1:9", cluster.kubeconfig.read_text()))
    config.add_context(replace(lab(cluster, bucket_url, s3.endpoint), kubeconfig=str(away)))
    found = list(findings("lab"))
    assert [finding.subject for finding in found if finding.level is Level.FAIL] == ["cluster"]
    assert not of("rights", found)


def test_queues_are_named(tmp_path: Path, bucket_url: str, s3: Bucket) -> None:
    with open_cluster(tmp_path / "cluster", Settings(kueue=True)) as cluster:
        assert cluster.standin
        cluster.standin.queue("team-a", {"cpu": "4"})
        config.add_context(lab(cluster, bucket_url, s3.endpoint))
        assert of("queues", findings("lab", pod=False))[0].message == "of Kueue: team-a"


def test_without_kueue(context: config.Context) -> None:
    assert "no Kueue" in of("queues", findings("lab", pod=False))[0].message
