import re
from pathlib import Path

import pytest

from orchestrator.backends.kubernetes.affinity import with_gpu_type
from orchestrator.backends.kubernetes.gpus import kind_of, known_kinds, node_terms
from orchestrator.errors import SpecError, UsageError
from orchestrator.specs.flavors import list_flavors

from .examples import NODE_AFFINITY

PRODUCT, GKE = "nvidia.com/gpu.product", "cloud.google.com/gke-accelerator"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def schedules(kind: str, labels: dict[str, str]) -> bool:
    """Whether the scheduler puts a pod that asks for the kind on a node with these labels."""
    return any(
        all(labels.get(one["key"]) in one["values"] for one in term["matchExpressions"]) for term in node_terms(kind)
    )


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("p100", {PRODUCT: "Tesla-P100-PCIE-16GB"}),
        ("p100", {GKE: "nvidia-tesla-p100"}),
        ("P100", {"mlctl/gpu-type": "p100"}),
        ("P100", {"mlctl/gpu-type": "P100"}),
        ("v100", {PRODUCT: "Tesla-V100-SXM2-32GB"}),
        ("v100-16gb", {PRODUCT: "Tesla-V100-PCIE-16GB"}),
        ("t4", {PRODUCT: "Tesla-T4"}),
        ("a10", {PRODUCT: "NVIDIA-A10"}),
        ("l4", {GKE: "nvidia-l4"}),
        ("l40s", {PRODUCT: "NVIDIA-L40S"}),
        ("a100", {PRODUCT: "NVIDIA-A100-SXM4-40GB"}),
        ("a100", {PRODUCT: "A100-SXM4-80GB"}),
        ("a100_80gb", {GKE: "nvidia-a100-80gb"}),
        ("h100", {PRODUCT: "NVIDIA-H100-80GB-HBM3"}),
        ("h200", {GKE: "nvidia-h200-141gb"}),
        ("a10g", {"karpenter.k8s.aws/instance-gpu-name": "a10g"}),
        ("NVIDIA-A100-SXM4-40GB-SHARED", {PRODUCT: "NVIDIA-A100-SXM4-40GB-SHARED"}),
        ("AMD_Instinct_MI300X_OAM", {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM"}),
        ("something-new", {"mlctl/gpu-type": "something-new"}),
    ],
)
def test_a_kind_is_found_by_the_labels_of_nodes(kind, labels):
    assert schedules(kind, labels)
    assert schedules(kind_of(labels), labels), "what `mlctl` calls a node's GPU can be asked for"


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("p100", {}),
        ("p100", {PRODUCT: "Tesla-P40"}),
        ("a10", {PRODUCT: "NVIDIA-A100-SXM4-40GB"}),
        ("l40", {PRODUCT: "NVIDIA-L40S"}),
        ("a100-80gb", {PRODUCT: "NVIDIA-A100-SXM4-40GB"}),
        ("a100", {PRODUCT: "NVIDIA-A100-SXM4-40GB-SHARED"}),
        ("v100-32gb", {GKE: "nvidia-tesla-v100"}),
    ],
)
def test_other_kinds_are_not(kind, labels):
    assert not schedules(kind, labels)


def test_what_a_node_has_is_named_as_jobs_ask_for_it():
    assert kind_of({PRODUCT: "Tesla-V100-SXM2-16GB"}) == "v100-16gb"
    assert kind_of({PRODUCT: "Quadro-RTX-6000"}) == "Quadro-RTX-6000"
    assert kind_of({"kubernetes.io/os": "linux"}) == ""


def test_every_flavors_kind_is_known():
    for flavor in list_flavors():
        if flavor.gpu_type:
            [product] = [term["matchExpressions"][0] for term in node_terms(flavor.gpu_type)][1:2]
            assert len(product["values"]) > 1


def test_the_page_names_all_kinds_and_labels():
    page = (Path(__file__).parents[3] / "docs/kubernetes.md").read_text()
    [told] = re.findall(r"^Known kinds: `([^`]+)`", page, re.MULTILINE)
    assert sorted(told.split()) == known_kinds()
    for term in node_terms("a100"):
        assert f"| `{term['matchExpressions'][0]['key']}` |" in page


def test_a_kind_that_no_label_can_have_is_refused():
    with pytest.raises(UsageError, match="gpu_type 'a100-' cannot be the value of a node's label"):
        node_terms("a100-")


def test_the_kind_goes_with_each_term_of_the_specs_affinity():
    assert with_gpu_type(NODE_AFFINITY, None) == NODE_AFFINITY
    alone = with_gpu_type({}, "p100")["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    assert alone == node_terms("p100")
    terms = with_gpu_type({**NODE_AFFINITY, "podAffinity": {}}, "p100")["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    assert len(terms) == 2 * len(alone)
    assert terms[0]["matchExpressions"] == [{"key": "zone", "operator": "Exists"}, *alone[0]["matchExpressions"]]
    assert terms[-1]["matchFields"] and terms[-1]["matchExpressions"] == alone[-1]["matchExpressions"]


@pytest.mark.parametrize(
    "affinity",
    [
        {"nodeAffinity": ["x"]},
        {"nodeAffinity": {REQUIRED: 1}},
        {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": {"a": 1}}}},
        {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": ["a"]}}},
    ],
)
def test_an_affinity_that_is_none_is_told(affinity):
    with pytest.raises(SpecError, match=r"`kubernetes\.affinity"):
        with_gpu_type(affinity, "p100")
