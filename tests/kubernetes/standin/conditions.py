"""The conditions in an object's status."""

from tests.kubernetes.standin.defaults import now
from tests.kubernetes.standin.resources import Object


def condition(wanted: Object, before: Object | None) -> Object:
    """Give a condition the time at which its status changed."""
    same = before is not None and before["status"] == wanted["status"]
    moment = before["lastTransitionTime"] if same and before else now()
    return {**wanted, "lastProbeTime": None, "lastTransitionTime": moment}


def set_condition(pod: Object, kind: str, status: str, reason: str, message: str) -> None:
    """Give the status of a pod, a Job or a Deployment a condition."""
    conditions = pod["status"].setdefault("conditions", [])
    before = next((item for item in conditions if item["type"] == kind), None)
    wanted: Object = {"type": kind, "status": status, "reason": reason, "message": message}
    if before:
        conditions.remove(before)
    moment = condition(wanted, before)
    if pod["kind"] == "Job":
        moment["lastProbeTime"] = moment["lastTransitionTime"]
    elif pod["kind"] == "Pod" and (generation := pod["metadata"].get("generation")):
        moment["observedGeneration"] = generation
    conditions.append(moment)
