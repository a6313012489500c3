"""Waiting for what a cluster does, by asking it again and again as any client can."""

from tests.kubernetes.clusters import Cluster
from tests.kubernetes.standin.resources import Object
from tests.waiting import wait_until


def condition(obj: Object, kind: str) -> Object | None:
    """Give a true condition of an object."""
    for item in obj["status"].get("conditions") or []:
        if (item["type"], item["status"]) == (kind, "True"):
            found: Object = item
            return found
    return None


def finished(cluster: Cluster, name: str) -> tuple[str, str]:
    """Wait for the end of a Job; gives `Complete` or `Failed`, and the reason."""

    def ask() -> tuple[str, str] | None:
        obj = cluster.get("jobs", name)
        for kind in ("Complete", "Failed"):
            if found := condition(obj, kind):
                return kind, found["reason"]
        return None

    return wait_until(ask, f"the end of Job {name}")


def pods(cluster: Cluster, job: str) -> list[Object]:
    """Give the pods of a Job, oldest first."""
    answer = cluster.call("GET", "api/v1:pods", query={"labelSelector": f"batch.kubernetes.io/job-name={job}"})
    return sorted(answer.body["items"], key=lambda pod: int(pod["metadata"]["resourceVersion"]))


def phase(cluster: Cluster, pod: str, *phases: str) -> Object:
    """Wait for a phase of a pod."""

    def ask() -> Object | None:
        obj = cluster.get("pods", pod)
        return obj if obj["status"].get("phase") in phases else None

    return wait_until(ask, f"pod {pod} to be {' or '.join(phases)}")


def waits(cluster: Cluster, pod: str, reason: str, container: str = "main") -> Object:
    """Wait until a container waits for a reason; gives its state."""

    def ask() -> Object | None:
        status = cluster.get("pods", pod)["status"]
        for item in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
            if item["name"] == container and item["state"].get("waiting", {}).get("reason") == reason:
                found: Object = item["state"]["waiting"]
                return found
        return None

    return wait_until(ask, f"container {container} of pod {pod} to wait for {reason}")


def events(cluster: Cluster, name: str) -> dict[str, str]:
    """Give the messages of an object's events by their reasons."""
    answer = cluster.call("GET", "api/v1:events", query={"fieldSelector": f"involvedObject.name={name}"})
    return {event["reason"]: event["message"] for event in answer.body["items"]}
