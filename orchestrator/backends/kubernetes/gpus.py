"""From a kind of GPU, as in `gpu_type: p100`, to the nodes that have it, by the labels that clusters give them."""

from collections.abc import Mapping
from typing import Any

from orchestrator.errors import UsageError
from orchestrator.specs.kubernetes_names import is_label_value

Json = dict[str, Any]

OWN = "mlctl/gpu-type"  # for whoever labels nodes by hand
NVIDIA = "nvidia.com/gpu.product"  # by NVIDIA's GPU feature discovery: the driver's name, `-` for spaces
GKE = "cloud.google.com/gke-accelerator"  # by Google Kubernetes Engine
OTHERS = (  # have the kind itself, in lower case
    "karpenter.k8s.aws/instance-gpu-name",
    "skypilot.co/accelerator",
)
AMD = "amd.com/gpu.product-name"  # by AMD's node labeller

# What NVIDIA's drivers call a kind; those before release 470 leave the leading `NVIDIA` out.
_PRODUCTS: dict[str, list[str]] = {
    "k80": ["Tesla-K80"],
    "m60": ["Tesla-M60"],
    "p4": ["Tesla-P4"],
    "p40": ["Tesla-P40"],
    "p100": ["Tesla-P100-PCIE-12GB", "Tesla-P100-PCIE-16GB", "Tesla-P100-SXM2-16GB"],
    "v100-16gb": ["Tesla-V100-PCIE-16GB", "Tesla-V100-SXM2-16GB"],
    "v100-32gb": [
        "Tesla-V100-PCIE-32GB",
        "Tesla-V100-SXM2-32GB",
        "Tesla-V100-SXM3-32GB",
        "Tesla-V100S-PCIE-32GB",
    ],
    "t4": ["Tesla-T4"],
    "a2": ["NVIDIA-A2"],
    "a10": ["NVIDIA-A10"],
    "a10g": ["NVIDIA-A10G"],
    "a16": ["NVIDIA-A16"],
    "a30": ["NVIDIA-A30"],
    "a40": ["NVIDIA-A40"],
    "a6000": ["NVIDIA-RTX-A6000"],
    "a100-40gb": ["NVIDIA-A100-SXM4-40GB", "NVIDIA-A100-PCIE-40GB"],
    "a100-80gb": ["NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-80GB-PCIe"],
    "a800": ["NVIDIA-A800-SXM4-80GB", "NVIDIA-A800-80GB-PCIe"],
    "l4": ["NVIDIA-L4"],
    "l20": ["NVIDIA-L20"],
    "l40": ["NVIDIA-L40"],
    "l40s": ["NVIDIA-L40S"],
    "rtx3090": ["NVIDIA-GeForce-RTX-3090"],
    "rtx4090": ["NVIDIA-GeForce-RTX-4090"],
    "rtx5090": ["NVIDIA-GeForce-RTX-5090"],
    "h20": ["NVIDIA-H20"],
    "h100": ["NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe", "NVIDIA-H100-NVL"],
    "h200": ["NVIDIA-H200", "NVIDIA-H200-NVL"],
    "h800": ["NVIDIA-H800", "NVIDIA-H800-PCIe"],
    "b200": ["NVIDIA-B200"],
    "gb200": ["NVIDIA-GB200"],
}
# https://cloud.google.com/kubernetes-engine/docs/concepts/gpus
_GKE: dict[str, list[str]] = {
    "k80": ["nvidia-tesla-k80"],
    "p4": ["nvidia-tesla-p4"],
    "p100": ["nvidia-tesla-p100"],
    "v100-16gb": ["nvidia-tesla-v100"],
    "t4": ["nvidia-tesla-t4"],
    "a100-40gb": ["nvidia-tesla-a100"],
    "a100-80gb": ["nvidia-a100-80gb"],
    "l4": ["nvidia-l4"],
    "h100": ["nvidia-h100-80gb", "nvidia-h100-mega-80gb"],
    "h200": ["nvidia-h200-141gb"],
    "b200": ["nvidia-b200"],
    "gb200": ["nvidia-gb200"],
}
_SIZES = {"v100": ["v100-16gb", "v100-32gb"], "a100": ["a100-40gb", "a100-80gb"]}  # kinds with several memories


def node_terms(gpu_type: str) -> list[Json]:
    """Return the node selector terms of a kind of GPU: a node that any of them fits has it.

    What stands in `gpu_type` is also taken by the letter, so that a label's own value may be written, such as
    `NVIDIA-A100-SXM4-40GB-SHARED`.

    Raises:
        UsageError: No label can have this value.
    """
    if not is_label_value(gpu_type):
        reason = "it must begin and end with a letter or a digit"
        raise UsageError(f"gpu_type {gpu_type!r} cannot be the value of a node's label: {reason}")
    return [
        {"matchExpressions": [{"key": key, "operator": "In", "values": sorted(values)}]}
        for key, values in _labels(gpu_type).items()
    ]


def known_kinds() -> list[str]:
    """Return the kinds of GPU that are known by name."""
    return sorted({*_PRODUCTS, *_GKE, *_SIZES})


def kind_of(labels: Mapping[str, str]) -> str:
    """Return the kind of GPU that a node's labels tell, as a job would ask for it; empty if they tell none."""
    for key in (OWN, *OTHERS):
        if value := labels.get(key):
            return value
    for key, table in ((NVIDIA, _PRODUCTS), (GKE, _GKE)):
        if value := labels.get(key):
            modern = (value, f"NVIDIA-{value}")
            return next((kind for kind, values in table.items() if set(values) & set(modern)), value)
    return labels.get(AMD, "")


def _labels(gpu_type: str) -> dict[str, set[str]]:
    """Return what labels a node with this kind of GPU may have, one of them at least."""
    kind = gpu_type.lower().replace("_", "-")
    kinds = [kind, *_SIZES.get(kind, [])]
    products = {product for one in kinds for product in _PRODUCTS.get(one, [])}
    products |= {product.removeprefix("NVIDIA-") for product in products}
    accelerators = {name for one in kinds for name in _GKE.get(one, [])}
    found = {OWN: {gpu_type, kind}, NVIDIA: {gpu_type, *products}, GKE: {gpu_type, *accelerators}, AMD: {gpu_type}}
    return found | {key: {gpu_type, kind} for key in OTHERS}
