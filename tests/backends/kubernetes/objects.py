"""Objects as a cluster shows them, cut down to what matters; fields and texts are Kubernetes' own."""

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

NOW = 1_800_000_000.0


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def job(*, suspend: bool = False, queue: str = "", **conditions: tuple[str, str]) -> Json:
    """A Job; conditions as `Failed=("BackoffLimitExceeded", "message")`."""
    labels = {"kueue.x-k8s.io/queue-name": queue} if queue else {}
    found = [
        {"type": kind, "status": "True", "reason": reason, "message": text, "lastTransitionTime": stamp(NOW - 5)}
        for kind, (reason, text) in conditions.items()
    ]
    return {
        "metadata": {"name": "digits-v0001-abc123", "uid": "job-uid", "labels": labels},
        "spec": {"suspend": suspend},
        "status": {"conditions": found},
    }


def pod(
    phase: str = "Pending",
    *,
    name: str = "digits-v0001-abc123-0-x",
    node: str = "gpu-1",
    containers: dict[str, Json] | None = None,
    conditions: list[Json] | None = None,
    spec: Json | None = None,
    age: float = 60.0,
    index: int = 0,
    **status: Any,
) -> Json:
    """A pod; `containers` has the `state` of each."""
    states = [{"name": name, "state": state} for name, state in (containers or {}).items()]
    images = {
        "initContainers": [{"name": "fetch", "image": "mlctl/runtime:1"}, {"name": "sync", "image": "mlctl/runtime:1"}]
    }
    main = {"name": "main", "image": "mlctl/mxnet-1.9:1.9.1-cpu", "resources": {"limits": {"memory": "2Gi"}}}
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "creationTimestamp": stamp(NOW - age),
            "annotations": {"batch.kubernetes.io/job-completion-index": str(index)},
        },
        "spec": {**images, "containers": [main], **({"nodeName": node} if node else {}), **(spec or {})},
        "status": {
            "phase": phase,
            "conditions": conditions or [],
            "initContainerStatuses": [one for one in states if one["name"] != "main"],
            "containerStatuses": [one for one in states if one["name"] == "main"],
            **status,
        },
    }


def unscheduled(message: str, **spec: Any) -> Json:
    """A pod that the scheduler found no place for."""
    told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(node="", conditions=[told], spec=spec)


def waits(reason: str, message: str = "") -> Json:
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int, reason: str = "Error", message: str = "") -> Json:
    found = {"exitCode": code, "reason": reason, "message": message, "finishedAt": stamp(NOW - 10)}
    return {"terminated": found}


def disrupted(reason: str, message: str = "") -> Json:
    return {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}


def event(about: Json, reason: str, message: str) -> Json:
    return {"involvedObject": {"uid": about["metadata"]["uid"]}, "reason": reason, "message": message}


def node(name: str = "gpu-1", *, gpus: int = 2, product: str = "Tesla-T4", ready: bool = True, **spec: Any) -> Json:
    labels = {"kubernetes.io/hostname": name, **({"nvidia.com/gpu.product": product} if gpus else {})}
    has = {"cpu": "8", "memory": "32Gi", "pods": "110", **({"nvidia.com/gpu": str(gpus)} if gpus else {})}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {
            "allocatable": has,
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
        },
    }
