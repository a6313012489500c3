"""Why a pod ended, as far as the cluster can tell: pure functions."""

import re
import signal
from typing import Any, NamedTuple

from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.names import FETCH, MAIN
from orchestrator.backends.kubernetes.pending import cannot_start
from orchestrator.runtime.exits import signal_name
from orchestrator.runtime.status import Reason
from orchestrator.specs.quantities import format_memory

Json = dict[str, Any]

START_ERRORS = ("StartError", "ContainerCannotRun")  # of a container that the node could not start
# Reasons of the condition DisruptionTarget, which the control plane sets on pods that it takes away.
_DISRUPTIONS = {
    "PreemptionByScheduler": Reason.PREEMPTED,
    "DeletionByTaintManager": Reason.NODE_LOST,
    "DeletionByPodGC": Reason.NODE_LOST,
    "EvictionByEvictionAPI": Reason.EVICTED,
    "TerminationByKubelet": Reason.EVICTED,
}

_OVER = re.compile("(?:EmptyDir|ephemeral).* exceeds? the|exceeded its local ephemeral storage limit")


class Ending(NamedTuple):
    """Why a pod ended.

    Attributes:
        reason: The cause; None if all is well.
        message: One sentence.
        code: Exit code of the script's container, where it has one of its own.
        signal: Name of the signal that ended it.
    """

    reason: Reason | None
    message: str
    code: int | None = None
    signal: str = ""


def disruption(pod: Json) -> Ending | None:
    """Return why the cluster takes a pod away or has lost it; None if it does not."""
    target = pods.condition(pod, "DisruptionTarget") or {}
    status = pod.get("status", {})
    told = str(target.get("message") or status.get("message") or "")
    node = pods.node_of(pod)
    if _is_over_its_disk(pod):
        return None
    if target.get("status") == "True" or status.get("reason") in ("Evicted", "Preempting", "NodeLost", "NodeShutdown"):
        reason = _DISRUPTIONS.get(str(target.get("reason")), Reason.EVICTED)
        if status.get("reason") == "NodeLost":
            reason = Reason.NODE_LOST
        elif status.get("reason") == "Preempting":
            reason = Reason.PREEMPTED
        return Ending(reason, f"{_DISRUPTED[reason].format(node=node)}{': ' + told if told else ''}")
    ready = pods.condition(pod, "Ready") or {}
    if pods.phase(pod) == "Unknown" or ready.get("reason") == "NodeStatusUnknown":
        return Ending(Reason.NODE_LOST, f"node {node} does not answer")
    return None


def _is_over_its_disk(pod: Json) -> bool:
    """Tell whether the node put a pod out for more than its own limits, which another node would do, too."""
    status = pod.get("status", {})
    return status.get("reason") == "Evicted" and bool(_OVER.search(str(status.get("message", ""))))


def ending(pod: Json) -> Ending:
    """Return why a pod that does not run any more ended."""
    if disrupted := disruption(pod):
        return disrupted
    status = pod.get("status", {})
    if status.get("reason") == "DeadlineExceeded":
        return Ending(Reason.TIMEOUT, "its pod ran longer than it may in all (max_duration and two hours)")
    if _is_over_its_disk(pod):
        return Ending(Reason.DISK_FULL, f"it took more disk than it may: {status['message'].strip()}")
    main, fetch = pods.ended(pod, MAIN), pods.ended(pod, FETCH)
    if main is None and pods.is_running(pod, MAIN):
        return Ending(Reason.POD_DELETED, "its pod is being deleted")
    if main is None:
        if fetch is None or fetch.code == 0:
            return Ending(Reason.POD_DELETED, "its pod was deleted before the script started")
        if fetch.reason == "OOMKilled":
            return Ending(Reason.OUT_OF_MEMORY, "fetching code and data ran out of memory")
        said = fetch.message.strip().splitlines()
        told = f": {said[-1]}" if said else ""
        return Ending(Reason.START_FAILED, f"fetching code and data failed (exit code {fetch.code}){told}")
    if main.reason == "OOMKilled" and main.code:  # the kernel may have killed a child that the script can do without
        return Ending(Reason.OUT_OF_MEMORY, f"the script used more memory than its limit{_limit(pod)}")
    if main.reason in START_ERRORS:
        found = cannot_start(main.message, pods.image(pod, MAIN))
        return Ending(found.reason, found.message)
    if main.reason == "ContainerStatusUnknown":
        return Ending(Reason.NODE_LOST, f"node {pods.node_of(pod)} lost its containers")
    if main.code == 0:
        return Ending(None, "")
    return _of_code(pod, main.code)


def _of_code(pod: Json, code: int) -> Ending:
    if code <= 128:
        return Ending(Reason.USER_ERROR, f"the script failed with exit code {code}", code)
    name = signal_name(code - 128)
    if pod["metadata"].get("deletionTimestamp") and code - 128 in (signal.SIGTERM, signal.SIGKILL):
        return Ending(Reason.POD_DELETED, f"its pod was deleted ({name})", None, name)
    if code - 128 == signal.SIGKILL:
        return Ending(Reason.KILLED, "the script was killed (SIGKILL), not by mlctl", None, name)
    return Ending(Reason.USER_ERROR, f"the script failed with {name}", None, name)


def _limit(pod: Json) -> str:
    from orchestrator.backends.kubernetes.fit import amount_of

    for one in pod.get("spec", {}).get("containers") or ():
        if one.get("name") == MAIN and (limit := ((one.get("resources") or {}).get("limits") or {}).get("memory")):
            return f" ({format_memory(int(amount_of(limit)))})"
    return ""


_DISRUPTED = {
    Reason.PREEMPTED: "a job of higher priority took its place on node {node}",
    Reason.NODE_LOST: "node {node} was lost",
    Reason.EVICTED: "node {node} put it out",
}
