"""What the cluster shows of our jobs, with as few calls as possible."""

import math
import threading
import time
from contextlib import suppress
from typing import Any

from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.mirror import Mirror
from orchestrator.backends.kubernetes.names import MAIN, MANAGED_BY, MANAGER
from orchestrator.backends.kubernetes.service import JOB_LABEL
from orchestrator.backends.kubernetes.shapes import Job, Pod
from orchestrator.backends.kubernetes.state import Seen
from orchestrator.errors import ClusterError, NotFoundError, PermissionDeniedError

Json = dict[str, Any]

JOBS, PODS, EVENTS = "batch/v1/jobs", "v1/pods", "v1/events"
MANAGED = f"{MANAGED_BY}={MANAGER}"
NANOSECONDS = 10**9  # in a second
FRESH = 1.0  # seconds; who asks again later than that will ask more often, and is served by a watch
_KUEUE = "/apis/kueue.x-k8s.io/v1beta1/namespaces/{namespace}/workloads"
_POSITION = "/apis/visibility.kueue.x-k8s.io/v1beta1/namespaces/{namespace}/localqueues/{queue}/pendingworkloads"


class Cluster:
    """The jobs that mlctl made in one namespace, and their pods.

    Args:
        api: The namespace.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._jobs = Mirror(api, api.path(JOBS), MANAGED, shape=Job)
        self._pods = Mirror(api, api.path(PODS), MANAGED, _job_of, shape=Pod)
        self._asked = False
        self._lock = threading.Lock()

    def seen(self, name: str, *, closely: bool, since: float = math.inf) -> Seen:
        """Return what the cluster shows of the Job of this name.

        Args:
            name: Of the Job object.
            closely: Whether a job that waits is worth more calls, which tell why.
            since: What was known then, or later, is new enough; time.monotonic.
        """
        age = max(FRESH, time.monotonic() - since)
        with self._lock:
            jobs = self._jobs.groups(age=age)
            every = self._pods.groups(age=age)
            if closely and self._asked:
                self._jobs.follow()
                self._pods.follow()
            self._asked = True
        seen = Seen(next(iter(jobs.get(name, ())), None), every.get(name, []))
        return self._closer(seen) if closely and seen.job is not None else seen

    def all(self) -> dict[str, Seen]:
        """Return what the cluster shows of every job, by the name of its Job object."""
        every = self._pods.groups(age=FRESH)
        return {name: Seen(job, every.get(name, [])) for name, (job,) in self._jobs.groups(age=FRESH).items()}

    def events(self, seen: Seen) -> list[Json]:
        """Return the events of a job and its pods, the oldest first."""
        things = filter(None, (seen.job, *seen.pods))
        return sorted((event for thing in things for event in events_of(self._api, thing)), key=when)

    def nodes(self) -> list[Json] | None:
        """Return the cluster's nodes, or None if they may not be read."""
        return nodes_of(self._api)

    def _closer(self, seen: Seen) -> Seen:
        """Add what tells why a job waits."""
        assert seen.job is not None
        if any(pods.is_running(pod, MAIN) for pod in seen.pods) or pods.condition(seen.job, "Failed"):
            return seen
        if seen.job.get("spec", {}).get("suspend"):
            workload, position = self._queue(seen.job)
            return seen._replace(workload=workload, position=position)
        with suppress(PermissionDeniedError):  # without events there is less to tell
            seen = seen._replace(events=self.events(seen))
        unscheduled = [(pods.condition(pod, "PodScheduled") or {}).get("status") == "False" for pod in seen.pods]
        return seen._replace(nodes=self.nodes()) if any(unscheduled) else seen

    def _queue(self, job: Json) -> tuple[Json | None, int | None]:
        """Return Kueue's object for a job and how many are before it, as far as they can be read."""
        names = {"namespace": self._api.namespace}
        queue = (job["metadata"].get("labels") or {}).get("kueue.x-k8s.io/queue-name", "")
        uid = job["metadata"].get("uid", "")
        workload, position = None, None
        with suppress(NotFoundError, PermissionDeniedError, ClusterError):
            found = self._api.list(_KUEUE.format(**names), labelSelector=f"kueue.x-k8s.io/job-uid={uid}")
            workload = found[0] if found else None
        if workload and queue:
            with suppress(NotFoundError, PermissionDeniedError, ClusterError):
                for item in self._api.list(_POSITION.format(**names, queue=queue)):
                    if pods.name_of(item) == pods.name_of(workload):
                        position = int(item.get("positionInLocalQueue", 0))
        return workload, position


def _job_of(pod: Json) -> str:
    return str((pod["metadata"].get("labels") or {}).get(JOB_LABEL, ""))


def events_of(api: Api, thing: Json) -> list[Json]:
    """Return the events of one object, the oldest first. Raises PermissionDeniedError."""
    uid = thing["metadata"].get("uid", "")
    return sorted(api.list(api.path(EVENTS), fieldSelector=f"involvedObject.uid={uid}"), key=when)


def nodes_of(api: Api) -> list[Json] | None:
    """Return the cluster's nodes, or None if they may not be read."""
    try:
        return api.list("/api/v1/nodes")
    except PermissionDeniedError:
        return None


def when(event: Json) -> float:
    """Return when an event was last seen, in seconds since the epoch.

    The usual time stamps are of whole seconds. What happened once only is told to the nanosecond by the end of the
    event's name, which client-go takes from the clock, so that what follows in one second stands in its order.
    """
    series = (event.get("series") or {}).get("lastObservedTime")
    stamp = series or event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
    found = pods.seconds(stamp)
    with suppress(ValueError):
        precise = int(pods.name_of(event).rpartition(".")[2], 16) / NANOSECONDS
        if found == int(precise):
            return precise
    return found
