"""What a Pod object says, in the few words that the state of a job needs: pure functions on plain dicts."""

from datetime import datetime
from typing import Any, NamedTuple

Json = dict[str, Any]

INDEX = "batch.kubernetes.io/job-completion-index"


class Ended(NamedTuple):
    """How a container ended.

    Attributes:
        code: Exit code; 128 + n for signal n.
        reason: `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerStatusUnknown` ...
        message: What the container runtime says.
        finished: Seconds since the epoch, or 0.
    """

    code: int
    reason: str
    message: str
    finished: float


def seconds(stamp: str | None) -> float:
    """Return a time of the API, as `2026-11-21T10:00:00Z`, in seconds since the epoch; 0 if there is none."""
    return datetime.fromisoformat(stamp).timestamp() if stamp else 0.0


def name_of(thing: Json) -> str:
    """Return an object's name."""
    return str(thing["metadata"]["name"])


def created(thing: Json) -> float:
    """Return when an object was made, in seconds since the epoch."""
    return seconds(thing["metadata"].get("creationTimestamp"))


def index_of(pod: Json) -> int:
    """Return which of a job's workers a pod is."""
    meta = pod["metadata"]
    return int((meta.get("annotations") or {}).get(INDEX) or (meta.get("labels") or {}).get(INDEX) or 0)


def condition(thing: Json, kind: str) -> Json | None:
    """Return a condition of an object, or None if it was never set."""
    found = [one for one in thing.get("status", {}).get("conditions") or () if one.get("type") == kind]
    return found[0] if found else None


def holds(thing: Json, kind: str) -> bool:
    """Tell whether a condition is true."""
    return (condition(thing, kind) or {}).get("status") == "True"


def started(pod: Json) -> float:
    """Return when the kubelet took a pod, in seconds since the epoch; 0 if it has not."""
    return seconds(pod.get("status", {}).get("startTime"))


def phase(pod: Json) -> str:
    """Return `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`."""
    return str(pod.get("status", {}).get("phase", "Pending"))


def node_of(pod: Json) -> str:
    """Return the name of the node it was given, or nothing."""
    return str(pod.get("spec", {}).get("nodeName") or "")


def container(pod: Json, name: str) -> Json:
    """Return the status of one container, empty if the kubelet has not told any."""
    status = pod.get("status", {})
    every = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return next((one for one in every if one.get("name") == name), {})


def waiting(pod: Json, name: str) -> tuple[str, str]:
    """Return reason and message of a container that waits; empty if it does not."""
    state = container(pod, name).get("state", {}).get("waiting") or {}
    return str(state.get("reason", "")), str(state.get("message", ""))


def is_running(pod: Json, name: str) -> bool:
    """Tell whether a container runs."""
    return "running" in container(pod, name).get("state", {})


def is_first_start(pod: Json, name: str) -> bool:
    """Tell whether a container has started, and only once."""
    status = container(pod, name)
    return status.get("restartCount") == 0 and bool({"running", "terminated"} & {*status.get("state", {})})


def ended(pod: Json, name: str) -> Ended | None:
    """Return how a container ended, the last time if it was started again; None if it never did."""
    status = container(pod, name)
    found = status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated")
    if not found:
        return None
    code = int(found.get("exitCode", 0))
    if signal := found.get("signal"):
        code = 128 + int(signal)
    text = str(found.get("message", ""))
    return Ended(code, str(found.get("reason", "")), text, seconds(found.get("finishedAt")))


def names(pod: Json) -> list[str]:
    """Return the names of a pod's containers, in the order in which they start."""
    spec = pod.get("spec", {})
    return [str(one["name"]) for one in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]]


def image(pod: Json, name: str) -> str:
    """Return the image of a container, as its pod asks for it."""
    spec = pod.get("spec", {})
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return str(next((one.get("image", "") for one in every if one.get("name") == name), ""))
