"""What containers ask for: requests, limits, sizes of volumes."""

import math
from typing import Any

from orchestrator.specs.flavors import Flavor
from orchestrator.specs.kubernetes import GPU_RESOURCE, Kubernetes
from orchestrator.specs.quantities import parse_memory

Json = dict[str, Any]

SHM_SHARE = 2  # /dev/shm is memory divided by this, as Linux has it by default


def main_resources(sizes: Flavor, section: Kubernetes) -> Json:
    """Return requests and limits of the script's container.

    Memory is a limit as well as a request: what a job may take is what its node keeps free for it. CPUs are a request
    without a limit, since a limit makes a script wait while cores are idle.

    Args:
        sizes: Of the node.
        section: The spec's section, settled.
    """
    memory = format_quantity(sizes.memory)
    requests = {"cpu": format_cpus(sizes.cpus), "memory": memory}
    limits = {"memory": memory}
    if disk := sum(parse_memory(size) for size in (section.disk, section.cache) if size is not None):
        requests["ephemeral-storage"] = format_quantity(disk)
    if sizes.gpus:
        resource = gpu_resource(section)
        requests[resource] = limits[resource] = str(sizes.gpus)
    return {"requests": requests, "limits": limits}


def runtime_resources() -> Json:
    """Return requests and limits of fetch and sync, which take a few dozen MiB, and more for a moment in transfers."""
    return {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}


def gpu_resource(section: Kubernetes) -> str:
    """Return the name of the resource that counts GPUs."""
    return section.gpu_resource or GPU_RESOURCE


def shm_size(sizes: Flavor, section: Kubernetes) -> str:
    """Return the size of /dev/shm."""
    return format_quantity(section.shm if section.shm is not None else sizes.memory_bytes // SHM_SHARE)


def format_quantity(size: str | int) -> str:
    """Return an amount of memory or disk as a whole number of bytes in its largest binary unit: `1.5Gi` is `1536Mi`."""
    amount = parse_memory(size)
    for power, unit in ((6, "Ei"), (5, "Pi"), (4, "Ti"), (3, "Gi"), (2, "Mi"), (1, "Ki")):
        if amount and amount % 1024**power == 0:
            return f"{amount // 1024**power}{unit}"
    return str(amount)


def format_cpus(cpus: float) -> str:
    """Return cores as a quantity, to a thousandth, rounded up: 0.5 is `500m`."""
    thousandths = math.ceil(round(cpus * 1000, 6))
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"
