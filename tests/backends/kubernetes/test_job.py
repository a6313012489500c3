import json
import re
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from orchestrator.backends.kubernetes.job import job_manifest, manifest_digest
from orchestrator.backends.kubernetes.order import Order
from orchestrator.engines.catalog import get_engine
from orchestrator.specs.flavors import resolve_resources
from orchestrator.specs.kubernetes import Kubernetes
from orchestrator.specs.load import load_job_spec
from tests.kubernetes_schemas import VERSIONS, problems

from .examples import GPU, ORDER, ORDERS, SITE, SITES, SMALL, TASK, order
from .pod_security import violations

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).with_name("mnist-mxnet.yaml")
NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
QUANTITY = re.compile(r"[0-9]+(?:m|[KMGTPE]i)?")
LABEL_KEY = re.compile(r"(?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
UNITS = {"": 1, "m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}

many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def amount(quantity: str) -> float:
    number, unit = re.fullmatch(r"([0-9]+)(.*)", quantity).groups()
    return int(number) * UNITS[unit]


def containers(manifest):
    pod = manifest["spec"]["template"]["spec"]
    return {one["name"]: one for one in [*pod["initContainers"], *pod["containers"]]}


@many
@given(ORDERS, SITES)
def test_every_manifest_is_one_that_the_oldest_and_the_newest_cluster_take(work, site):
    manifest = job_manifest(work, site)
    for version in VERSIONS:
        assert problems(manifest, version) == []
    assert msgspec.json.encode(manifest) == msgspec.json.encode(job_manifest(work, site)), "the same input, other bytes"
    check_what_schemas_do_not_know(manifest)
    if not work.settled(site).pod and work.settled(site).security != "image":
        assert violations(manifest["spec"]["template"]["spec"]) == []


def check_what_schemas_do_not_know(manifest):
    pod = manifest["spec"]["template"]["spec"]
    name = manifest["metadata"]["name"]
    assert NAME.fullmatch(f"{name}-{manifest['spec']['completions'] - 1}"), "its pods' host names"
    for metadata in (manifest["metadata"], manifest["spec"]["template"]["metadata"]):
        assert all(LABEL_KEY.fullmatch(key) for key in [*metadata["labels"], *metadata["annotations"]])
        assert all(LABEL_VALUE.fullmatch(value) for value in metadata["labels"].values())
    assert pod["restartPolicy"] == "Never"
    every = [*pod["initContainers"], *pod["containers"]]
    for one in every:
        assert NAME.fullmatch(one["name"])
        resources = one.get("resources", {})
        for kind, quantity in {**resources.get("requests", {}), **resources.get("limits", {})}.items():
            assert QUANTITY.fullmatch(quantity), (kind, quantity)
        for kind, limit in resources.get("limits", {}).items():
            assert amount(resources["requests"][kind]) <= amount(limit)
        assert len({env["name"] for env in one.get("env", [])}) == len(one.get("env", []))
        mounts = [mount["mountPath"] for mount in one.get("volumeMounts", [])]
        assert len(set(mounts)) == len(mounts)
        assert {mount["name"] for mount in one.get("volumeMounts", [])} <= {volume["name"] for volume in pod["volumes"]}
    assert len({one["name"] for one in every}) == len(every)
    for volume in pod["volumes"]:
        assert NAME.fullmatch(volume["name"])
        assert len(volume) == 2, "a volume has one source"
        if limit := volume.get("emptyDir", {}).get("sizeLimit"):
            assert QUANTITY.fullmatch(limit)


def test_as_its_image_says_a_script_may_be_root_and_so_are_fetch_and_sync():
    manifest = job_manifest(order(security="image"), SITE)
    assert "runAsUser" not in manifest["spec"]["template"]["spec"]["securityContext"]
    assert "securityContext" not in containers(manifest)["main"]
    assert {containers(manifest)[name]["securityContext"]["runAsUser"] for name in ("fetch", "sync")} == {0}
    assert violations(manifest["spec"]["template"]["spec"]) != []


def test_the_mnist_example_by_the_letter():
    assert GOLDEN.read_text() == golden(), "write it again: python -m tests.backends.kubernetes.test_job"


def golden() -> str:
    spec = load_job_spec(ROOT / "job_specs/mnist-mxnet.yaml").spec
    image = get_engine(spec.engine).images.cpu
    work = Order(task=TASK, run=ORDER.run, image=image, sizes=resolve_resources(spec.resources))
    return yaml.safe_dump(job_manifest(work, SITE), sort_keys=False, width=120)


def test_which_failures_count():
    def rules(**section):
        return job_manifest(order(**section), SITE)["spec"]["podFailurePolicy"]["rules"]

    assert [rule["action"] for rule in rules()] == ["Ignore", "FailJob", "FailJob"]
    assert rules()[0]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert rules()[1]["onExitCodes"] == {"containerName": "fetch", "operator": "In", "values": [64]}
    assert rules()[2]["onExitCodes"] == {"containerName": "main", "operator": "NotIn", "values": [0]}
    assert [rule["action"] for rule in rules(retries=2)] == ["Ignore", "FailJob"], "a failed script is tried again"
    assert job_manifest(order(retries=2), SITE)["spec"]["backoffLimit"] == 2


def test_a_queue_holds_the_job_back():
    manifest = job_manifest(order(queue="team-a"), SITE)
    assert manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert manifest["spec"]["suspend"] is True
    assert "suspend" not in job_manifest(ORDER, SITE)["spec"]


def test_labels_of_the_spec_come_beside_ours_and_annotations_of_the_spec_win():
    manifest = job_manifest(order(labels={"team": "a"}, annotations={"karpenter.sh/do-not-disrupt": "false"}), SITE)
    for metadata in (manifest["metadata"], manifest["spec"]["template"]["metadata"]):
        assert metadata["labels"]["team"] == "a"
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "mlctl"
        assert metadata["labels"]["mlctl/job"] == "mnist-mxnet"
        assert metadata["annotations"]["karpenter.sh/do-not-disrupt"] == "false"


@pytest.mark.parametrize("section", [{"retries": 1}, {"queue": "a"}, {"pod": {"dnsPolicy": "None"}}, {"shm": "1Mi"}])
def test_the_digest_tells_manifests_apart_and_does_not_count_itself(section):
    first, second = job_manifest(ORDER, SITE), job_manifest(order(**section), SITE)
    assert first["metadata"]["name"] == second["metadata"]["name"]
    assert first["metadata"]["annotations"]["mlctl/digest"] != second["metadata"]["annotations"]["mlctl/digest"]
    again = json.loads(json.dumps(first, sort_keys=True))
    assert manifest_digest(again) == first["metadata"]["annotations"]["mlctl/digest"]


def test_sizes_become_requests_and_limits():
    main = containers(job_manifest(order(GPU), SITE))["main"]
    assert main["resources"] == {
        "requests": {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "1"},
        "limits": {"memory": "64Gi", "nvidia.com/gpu": "1"},
    }
    other = containers(job_manifest(order(GPU, gpu_resource="amd.com/gpu", disk="1Gi", cache="512Mi"), SITE))["main"]
    assert other["resources"]["limits"]["amd.com/gpu"] == "1"
    assert other["resources"]["requests"]["ephemeral-storage"] == "1536Mi"
    small = containers(job_manifest(order(msgspec.structs.replace(SMALL, cpus=0.25, memory="1.5Gi")), SITE))["main"]
    assert small["resources"]["requests"] == {"cpu": "250m", "memory": "1536Mi"}


def test_a_context_chooses_what_the_job_leaves_open():
    site = msgspec.structs.replace(SITE, defaults=Kubernetes(queue="all", service_account="trainer", retries=1))
    manifest = job_manifest(order(queue="team-a"), site)
    assert manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert manifest["spec"]["template"]["spec"]["serviceAccountName"] == "trainer"
    assert manifest["spec"]["backoffLimit"] == 1


@pytest.mark.parametrize(("ttl", "seconds"), [(None, 86400), ("0s", 0), ("2h", 7200), (90, 90)])
def test_how_long_the_finished_job_stays(ttl, seconds):
    assert job_manifest(order(ttl=ttl), SITE)["spec"]["ttlSecondsAfterFinished"] == seconds


if __name__ == "__main__":
    GOLDEN.write_text(golden())
