"""TensorBoard's objects in a cluster."""

import pytest
from hypothesis import given

from orchestrator.backends.kubernetes.board import PULL, board_manifest, board_service
from orchestrator.runtime.pod.board import Shown
from tests.kubernetes_schemas import VERSIONS, problems

from .examples import SITES
from .pod_security import violations

SHOWN = [Shown("V0001", "s3://bucket/me", "jobs/a/V0001/output/"), Shown("V0003", "s3://other", "V0003/")]


@given(SITES)
def test_every_cluster_takes_them(site):
    job = board_manifest("mlctl-board-1", site, image="mlctl/tb:1", shown=SHOWN, title="a V0001", seconds=7200)
    for manifest in (job, board_service("mlctl-board-1", site, owner="some-uid")):
        for version in VERSIONS:
            assert problems(manifest, version) == []
    if site.defaults.security != "image":
        assert violations(job["spec"]["template"]["spec"]) == []


@given(SITES)
def test_it_ends_by_itself_and_sees_no_keys(site):
    job = board_manifest("mlctl-board-1", site, image="mlctl/tb:1", shown=SHOWN, title="a", seconds=60)
    assert job["spec"]["activeDeadlineSeconds"] == 60 + PULL and job["spec"]["backoffLimit"] == 0
    (main,) = job["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in main["env"]] == ["MLCTL_LISTEN"]
    assert main["volumeMounts"] == [{"name": "mlctl", "mountPath": "/mlctl", "readOnly": True}]


@pytest.mark.parametrize("registry", ["", "registry.lab/ours"])
def test_images_come_from_the_contexts_registry(registry):
    from .examples import SITE

    site = SITE.__class__(namespace="ml", runtime_image="mlctl/runtime:1", image_registry=registry, store={})
    pod = board_manifest("b", site, image="mlctl/tb:1", shown=SHOWN, title="a", seconds=60)["spec"]["template"]["spec"]
    images = [one["image"] for one in [*pod["initContainers"], *pod["containers"]]]
    assert all(image.startswith(registry) for image in images)
