"""The state of a job on a cluster: one pure function over what the pod told the store and what the cluster shows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.ending import START_ERRORS, Ending, disruption, ending
from orchestrator.backends.kubernetes.names import MAIN
from orchestrator.backends.kubernetes.pending import Pending, in_queue, of_pod, without_pods
from orchestrator.runtime.status import Reason, State, Status

Json = dict[str, Any]

SILENCE = 120.0  # seconds without a heartbeat after which that is said
SAVING = 180.0  # seconds that a pod whose Job is gone may take to save what it has
SUBMITTING = 60.0  # seconds between record and Job object, beyond which the create command was surely interrupted


class Seen(NamedTuple):
    """What the cluster shows of one job.

    Attributes:
        job: The Job object; None if there is none.
        pods: Its pods.
        events: Of the job and its pods, the oldest first.
        nodes: Of the cluster; None if they may not be read.
        workload: Kueue's object for a suspended job.
        position: How many are before it in its queue.
    """

    job: Json | None
    pods: Sequence[Json] = ()
    events: Sequence[Json] = ()
    nodes: Sequence[Json] | None = None
    workload: Json | None = None
    position: int | None = None


def judge(told: Status | None, seen: Seen, *, created: float, cancelled: bool, now: float) -> Status:
    """Return the truth about a job.

    Args:
        told: What its pod last wrote into the store; None if it never did.
        seen: What the cluster shows.
        created: When the job was recorded, in seconds since the epoch.
        cancelled: Whether somebody has asked for its end.
        now: The time, in seconds since the epoch.

    Returns:
        The status. If it is final and `told` is not, nobody else will write it down.
    """
    if told and told.state.finished:
        if not told.unclear or told.state is not State.FAILED or not _is_undecided(seen.job):
            return _clear(told, seen) if told.unclear else told
        # It may yet go on, in another pod.
        message = "the script has ended; the cluster has not said yet what becomes of it"
        told = msgspec.structs.replace(told, state=State.RUNNING, reason=None, message=message, hint="")
    if seen.job is None or seen.job["metadata"].get("deletionTimestamp"):
        return _without_job(told, seen.pods, created=created, cancelled=cancelled, now=now)
    if pods.holds(seen.job, "Failed"):
        return _failed(told, seen, cancelled=cancelled)
    newest = sorted(seen.pods, key=pods.created)[-1:]
    if seen.job.get("spec", {}).get("suspend") and not newest:
        return _with(told, in_queue(seen.job, seen.workload, seen.position))
    if not newest:
        found = without_pods(seen.job, [event for event in seen.events if _is_about(event, seen.job)])
        if found.reason is None and told and told.started:
            return _recovering(told, Ending(None, "its pod is gone"))  # a cluster makes the next one 10 s later
        return _with(told, found)
    return _of_pods(told, seen, newest[0], now)


def _of_pods(told: Status | None, seen: Seen, newest: Json, now: float) -> Status:
    """Return the status of a job that has a pod and has not ended: the worker that is worst off counts."""
    latest = {pods.index_of(pod): pod for pod in sorted(seen.pods, key=pods.created)}
    for pod in latest.values():
        if lost := disruption(pod):
            gone = lost.reason is Reason.NODE_LOST and pods.phase(pod) != "Failed"
            return _recovering(told, lost, stuck_on=pods.node_of(pod) if gone else "")
    main = pods.ended(newest, MAIN)
    if main and main.reason in START_ERRORS:  # its sidecar may go on for ever
        return _final(told, State.FAILED, ending(newest), main.finished)
    if pods.phase(newest) == "Failed" or newest["metadata"].get("deletionTimestamp"):
        return _ended(told, seen, ending(newest))
    waiting = [pod for pod in latest.values() if not pods.is_running(pod, MAIN) and pods.phase(pod) != "Succeeded"]
    if waiting and not any(pods.ended(pod, MAIN) for pod in waiting):
        pod = waiting[0]
        found = of_pod(pod, [event for event in seen.events if _is_about(event, pod)], seen.nodes)
        if found.reason is None and told and told.state is State.STARTING and told.message:
            return told  # the pod itself knows better how far it is
        return _with(told, found)
    if told is None or told.state is not State.RUNNING:
        return _with(told, Pending(State.STARTING, None, f"started on node {pods.node_of(newest)}"))
    silence = now - max(told.heartbeat, pods.started(newest))
    if silence > SILENCE:
        message = f"no word from its pod for {silence / 60:.0f} minutes: it cannot reach the store, or its node is gone"
        return msgspec.structs.replace(told, message=message)
    return told


def _ended(told: Status | None, seen: Seen, end: Ending) -> Status:
    """Return the status of a job whose pod has ended, before the cluster has drawn its conclusions."""
    if ((seen.job or {}).get("spec") or {}).get("backoffLimit"):
        return _recovering(told, end)
    status = told or Status(state=State.STARTING)
    return msgspec.structs.replace(status, message=f"{end.message}; its end is being written down")


def _without_job(told: Status | None, left: Sequence[Json], *, created: float, cancelled: bool, now: float) -> Status:
    silent = told is None or now - told.heartbeat > SAVING
    if cancelled and (silent or not _has_begun(told, left)):
        return _final(told, State.CANCELLED, Ending(Reason.CANCELLED_BY_USER, "cancelled"), now)
    if told is None:
        if now - created < SUBMITTING:
            return Status(message="being submitted", queued=created)
        reason = Reason.NOT_STARTED
        message = "it was recorded, but the create command was interrupted before it started"
        return Status(state=State.FAILED, reason=reason, message=message, hint=reason.hint, queued=created)
    if now - told.heartbeat <= SAVING:
        saving = "its Job is gone from the cluster; log and output are being saved"
        return msgspec.structs.replace(told, message=saving)
    return _final(told, State.FAILED, Ending(Reason.JOB_DELETED, "its Job was deleted from the cluster"), now)


def _has_begun(told: Status | None, left: Sequence[Json]) -> bool:
    """Tell whether the script may have written something; a pod whose image is still pulled has nothing to save."""
    if told and told.state in (State.RUNNING, State.RECOVERING):
        return True
    return any(pods.is_running(pod, MAIN) or pods.ended(pod, MAIN) for pod in left)


def _failed(told: Status | None, seen: Seen, *, cancelled: bool) -> Status:
    """Return the status of a job that the cluster has given up."""
    condition = pods.condition(seen.job or {}, "Failed") or {}
    when = pods.seconds(condition.get("lastTransitionTime"))
    if cancelled:
        return _final(told, State.CANCELLED, Ending(Reason.CANCELLED_BY_USER, "cancelled"), when)
    if condition.get("reason") == "DeadlineExceeded":
        return _final(told, State.FAILED, Ending(Reason.TIMEOUT, str(condition.get("message", ""))), when)
    failed = [pod for pod in sorted(seen.pods, key=pods.created) if pods.phase(pod) == "Failed"]
    if failed:
        return _final(told, State.FAILED, ending(failed[-1]), when)
    message = f"its pod was deleted ({condition.get('message', 'it is gone')})"
    return _final(told, State.FAILED, Ending(Reason.POD_DELETED, message), when)


def _clear(told: Status, seen: Seen) -> Status:
    """Return a final status with the cause that only the cluster knows."""
    found = [ending(pod) for pod in sorted(seen.pods, key=pods.created) if pods.index_of(pod) == 0]
    if not found and seen.job and pods.holds(seen.job, "Failed"):
        found = [Ending(Reason.POD_DELETED, "its pod was deleted")]
    if not found or found[-1].reason is None:
        return msgspec.structs.replace(told, unclear=False)
    return _final(told, told.state, found[-1], told.finished)


def _is_undecided(job: Json | None) -> bool:
    """Tell whether the cluster may make another pod for a job."""
    over = job is None or job["metadata"].get("deletionTimestamp")
    return not over and not any(pods.holds(job or {}, end) for end in ("Failed", "Complete"))


def _final(told: Status | None, state: State, end: Ending, when: float) -> Status:
    status = told or Status()
    reason = end.reason or status.reason or Reason.KILLED
    return msgspec.structs.replace(
        status,
        state=state,
        reason=reason,
        message=end.message or status.message,
        hint=reason.hint,
        finished=status.finished or when,
        exit_code=status.exit_code if end.code is None else end.code,
        signal=end.signal or status.signal,
        unclear=False,
    )


def _with(told: Status | None, found: Pending) -> Status:
    status = told or Status()
    hint = found.hint or (found.reason.hint if found.reason else "")
    return msgspec.structs.replace(
        status,
        state=found.state,
        reason=found.reason,
        message=found.message,
        hint=hint,
        details=list(found.details),
    )


def _recovering(told: Status | None, end: Ending, *, stuck_on: str = "") -> Status:
    """Return the status of a job whose pod is replaced.

    Args:
        told: What its pod last said.
        end: Why the pod has ended.
        stuck_on: The node that it cannot be taken from: a Job with a podFailurePolicy replaces a pod only when it has
            surely ended, and of a node that does not answer nobody knows.
    """
    if not stuck_on:
        return _with(told, Pending(State.RECOVERING, end.reason, f"{end.message}; a new pod is being made"))
    message = f"{end.message}; a new pod is made when the node is back, or is declared to be out of service"
    taint = f"kubectl taint node {stuck_on} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
    hint = f"if the node will not come back, its administrators can say so: {taint}"
    return _with(told, Pending(State.RECOVERING, end.reason, message, hint=hint))


def _is_about(event: Json, thing: Json) -> bool:
    about = event.get("involvedObject") or {}
    return bool(
        about.get("uid") == thing["metadata"].get("uid")
        if about.get("uid")
        else about.get("name") == pods.name_of(thing)
    )
