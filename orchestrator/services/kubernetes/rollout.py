"""How far the pods of a change are, and why they do not come any further: pure functions on plain dicts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.names import FETCH
from orchestrator.backends.kubernetes.pending import of_pod
from orchestrator.runtime.status import Reason, State
from orchestrator.services.kubernetes.plan import FRONT, REVISION

Json = dict[str, Any]

_OUT_OF_MEMORY = "OOMKilled"
_PAUSED = "ScalingDisabled"  # there are to be no pods at all
_NO_COUNT = "the HPA was unable to compute the replica count: "
_PACKAGES = "the packages that it needs cannot be installed"  # in the words of guest/serving/mlctl_model/packages.py
_INDEX = "name an index that pods reach, --env PIP_INDEX_URL=..., or put wheels beside the model; see docs/models.md"
_ROOM = "a change needs room for one more pod: ask for less (--cpus, --memory), or end something else"

MEASURED = 120.0  # seconds within which a metrics server has measured new pods
ROUTED = 15.0  # seconds within which a Gateway has taken a new HTTPRoute, or not


class Trouble(NamedTuple):
    """Why a pod does not become ready.

    Attributes:
        message: For people.
        final: Whether waiting is of no use; else it may pass, but rarely does.
        hint: The next step.
        passes: Whether it does as a rule: a wait for room is worth all the time that there is.
    """

    message: str
    final: bool = False
    hint: str = ""
    passes: bool = False


def is_done(deployment: Json) -> bool:
    """Tell whether all pods are of the newest template and ready, and no other takes requests."""
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return False
    return all(status.get(field, 0) == wanted for field in ("replicas", "updatedReplicas", "availableReplicas"))


def of_revision(every: Sequence[Json], revision: str) -> list[Json]:
    """Return the pods of a revision."""
    return [pod for pod in every if (pod["metadata"].get("labels") or {}).get(REVISION) == revision]


def trouble(
    deployment: Json, every: Sequence[Json], events: Mapping[str, Sequence[Json]], nodes: Sequence[Json] | None
) -> Trouble | None:
    """Return what keeps pods from being ready, or None as long as all takes its course.

    Args:
        deployment: The Deployment.
        every: Its pods of the revision in question.
        events: By the pods' uids.
        nodes: Of the cluster; None if they may not be read.
    """
    every = [pod for pod in every if not pod["metadata"].get("deletionTimestamp") and not pods.holds(pod, "Ready")]
    for pod in every:
        if found := _ended(pod):
            return found
    refused = pods.condition(deployment, "ReplicaFailure") or {}
    if refused.get("status") == "True":
        return Trouble(
            f"its pods are refused: {refused.get('message', '')}", hint="ask for less, or for a larger quota"
        )
    waits: Trouble | None = None
    for pod in every:
        if pods.is_running(pod, FRONT) or pods.is_running(pod, FETCH):
            continue
        found_pending = of_pod(pod, events.get(pod["metadata"]["uid"], ()), nodes)
        reason = found_pending.reason
        if reason is None:  # it takes its course
            continue
        if reason is Reason.NO_CAPACITY:
            waits = Trouble(found_pending.message, hint=_ROOM, passes=True)
            continue
        hint = found_pending.hint or reason.hint
        return Trouble(found_pending.message, final=found_pending.state is State.FAILED, hint=hint)
    return waits


def _ended(pod: Json) -> Trouble | None:
    """Return what ended a container that should have gone on."""
    ends = {name: end for name in pods.names(pod) if (end := pods.ended(pod, name)) and end.code}
    for name, end in ends.items():
        if _is_short(end):
            return Trouble(f"container {name} took more memory than it may", final=True, hint="give it more: --memory")
    for name, end in ends.items():
        said = end.message.strip().splitlines() or [f"exit code {end.code}"]
        if name == FRONT:
            return Trouble(said[-1], final=True, hint=_INDEX if _PACKAGES in said[-1] else "")
        if name == FETCH:  # it is tried again: the store may come back
            told = "\n".join(said)
            return Trouble(f"the packages cannot be fetched: {told}", hint="does the store answer? mlctl doctor")
        return Trouble(f"container {name} ends: {said[-1]}", final=True)
    return None


def short_of_memory(every: Sequence[Json]) -> str:
    """Return which containers were ended for want of memory, also if they run again; empty if none was."""
    ends = {name for pod in every for name in pods.names(pod) if _is_short(pods.ended(pod, name))}
    return f"{', '.join(sorted(ends))} took more memory than it may, and was started again" if ends else ""


def not_growing(autoscaler: Json, now: float) -> str:
    """Return why an autoscaler leaves the number of replicas as it is; empty if it does its work.

    Args:
        autoscaler: The HorizontalPodAutoscaler.
        now: Seconds since the epoch. New pods are not measured at once.
    """
    found = pods.condition(autoscaler, "ScalingActive") or {}
    since = now - pods.seconds(found.get("lastTransitionTime"))
    if found.get("status") != "False" or found.get("reason") == _PAUSED or since < MEASURED:
        return ""
    return f"more load makes no more replicas: {str(found.get('message', '')).removeprefix(_NO_COUNT)}"


def not_routed(route: Json, now: float) -> str:
    """Return why nothing comes through a Gateway; empty if it has taken the route, or may only need a moment more.

    Args:
        route: The HTTPRoute.
        now: Seconds since the epoch.
    """
    if now - pods.seconds(route["metadata"]["creationTimestamp"]) < ROUTED:
        return ""
    wanted = ", ".join(parent["name"] for parent in route["spec"]["parentRefs"])
    answers = (route.get("status") or {}).get("parents") or []
    if not answers:
        return f"nothing comes from outside: there is no Gateway {wanted}, or nobody looks after it"
    for condition in (one for answer in answers for one in answer.get("conditions") or ()):
        if condition["status"] == "False":
            return f"nothing comes from outside: Gateway {wanted}: {condition.get('message', '')}"
    return ""


def _is_short(end: pods.Ended | None) -> bool:
    return end is not None and end.reason == _OUT_OF_MEMORY


def restarts(every: Sequence[Json]) -> int:
    """Return how often containers of pods had to be started again."""
    return sum(int(pods.container(pod, name).get("restartCount", 0)) for pod in every for name in pods.names(pod))
