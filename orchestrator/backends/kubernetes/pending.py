"""Why a pod does not run yet: the truth, from the pod, its events, and the nodes. Pure functions."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.fit import amount_of, why_not
from orchestrator.backends.kubernetes.names import FETCH
from orchestrator.runtime.status import Reason, State

Json = dict[str, Any]

_PULL = {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
_CONFIG = {"CreateContainerConfigError"}
_START = {"CreateContainerError", "RunContainerError", "StartError"}
_MOUNT = {"FailedMount", "FailedAttachVolume"}
_SHELL = re.compile(r"/bin/sh\W+(?:stat /bin/sh: )?no such file|exec:? \"?/bin/sh\"?: .*no such file")
_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.+?), used: (.+?), limited: (.+)$")
_SHORT = re.compile(r"(\d+) (Insufficient \S+?|Too many pods)[,.]?(?:\s|$)")
_HOPELESS = re.compile(r"preemption: 0/(\d+) nodes are available: \1 Preemption is not helpful")
_PULLED = re.compile(r'^Failed to pull image "[^"]*": ')  # in events, before the cause
_NOTHING_NEW = ("Back-off", "Error:")  # begin events that say only that it failed before
_OFTEN = 3  # times that a volume fails to be mounted before that is worth a word: the first time often passes
_DENIED = ("denied", "unauthorized", "authorization", "forbidden", "401", "403")


class Pending(NamedTuple):
    """Why a job has not started.

    Attributes:
        state: QUEUED, PENDING, STARTING, or FAILED where waiting is of no use.
        reason: Why; None while all takes its course.
        message: One sentence.
        details: More, a line each.
        hint: The next step, where the reason's own does not fit.
    """

    state: State
    reason: Reason | None
    message: str
    details: Sequence[str] = ()
    hint: str = ""


def without_pods(job: Json, events: Sequence[Json]) -> Pending:
    """Return why a job that exists has no pod."""
    refused = [event for event in events if event.get("reason") == "FailedCreate"]
    if refused:
        return _refused(str(refused[-1].get("message", "")))
    return Pending(State.PENDING, None, "its pod is about to be made")


def in_queue(job: Json, workload: Json | None, position: int | None) -> Pending:
    """Return why a suspended job waits.

    Args:
        job: The Job object.
        workload: Kueue's object for it, where it can be read.
        position: How many are before it in its queue, where that can be told.
    """
    queue = (job["metadata"].get("labels") or {}).get("kueue.x-k8s.io/queue-name", "")
    if not queue:
        return Pending(State.QUEUED, Reason.IN_QUEUE, "its Job is suspended", hint="kubectl get job -o yaml")
    quota = pods.condition(workload or {}, "QuotaReserved") or {}
    told = f": {quota['message']}" if quota.get("message") else ""
    place = "" if position is None else f", {position} before it"
    return Pending(State.QUEUED, Reason.IN_QUEUE, f"in the queue {queue}{place}{told}")


def of_pod(pod: Json, events: Sequence[Json], nodes: Sequence[Json] | None) -> Pending:
    """Return why a pod whose script does not run yet does not.

    Args:
        pod: The Pod object, in phase Pending or with containers that wait.
        events: Of this pod, the oldest first.
        nodes: Of the cluster; None if they may not be read.
    """
    scheduled = pods.condition(pod, "PodScheduled") or {}
    if scheduled.get("status") == "False":
        return _unscheduled(pod, str(scheduled.get("message", "")), nodes)
    if not pods.node_of(pod):
        return Pending(State.PENDING, None, "it waits for the scheduler")
    for name in pods.names(pod):
        reason, message = pods.waiting(pod, name)
        if reason in _PULL:
            return _no_image(pods.image(pod, name), reason, _pull_message(message, events), pod)
        if reason in _CONFIG:
            return Pending(
                State.PENDING, Reason.CONFIG_MISSING, message or "something that its containers need is missing"
            )
        if reason in _START:
            return cannot_start(message, pods.image(pod, name))
    return _starting(pod, events)


def cannot_start(message: str, image: str) -> Pending:
    """Return what is wrong with a container that the node could not start."""
    if _SHELL.search(message):
        return Pending(State.FAILED, Reason.NO_SHELL, f"image {image} has no /bin/sh")
    return Pending(State.FAILED, Reason.START_FAILED, f"image {image} could not be started: {message}")


def _refused(message: str) -> Pending:
    if quota := _QUOTA.search(message):
        name, requested, used, limited = quota.groups()
        if _is_more(requested, limited):
            text = f"quota {name} never has room for it: it asks for {requested}, of {limited} in all"
            hint = "ask for less, or have whoever runs the cluster raise the quota"
            return Pending(State.PENDING, Reason.QUOTA_EXCEEDED, text, hint=hint)
        text = f"quota {name} is used up: it asks for {requested}, {used} of {limited} are used"
        return Pending(State.PENDING, Reason.QUOTA_EXCEEDED, text)
    if "serviceaccount" in message and "not found" in message:
        return Pending(State.PENDING, Reason.CONFIG_MISSING, message)
    return Pending(State.PENDING, Reason.REFUSED, f"its pods are refused: {message}")


def _is_more(requested: str, limited: str) -> bool:
    """Tell whether more is requested of some resource than there is, both as in `pods=1,requests.cpu=300m`."""
    wanted, most = (dict(part.partition("=")[::2] for part in text.split(",")) for text in (requested, limited))
    return any(amount_of(amount) > amount_of(most.get(name, amount)) for name, amount in wanted.items())


def _unscheduled(pod: Json, message: str, nodes: Sequence[Json] | None) -> Pending:
    if "PersistentVolumeClaim" in message or "persistentvolumeclaim" in message or "volume node affinity" in message:
        return Pending(State.PENDING, Reason.VOLUME_NOT_BOUND, message)
    if nodes is None:
        # Where nothing would be gained by ending others, no node has what it asks for.
        never = bool(message) and ("Insufficient" not in message or bool(_HOPELESS.search(message)))
        if never:
            hint = "ask for what a node has; who runs the cluster knows it"
            return Pending(State.PENDING, Reason.UNSCHEDULABLE, message, hint=hint)
        return Pending(State.PENDING, Reason.NO_CAPACITY, message or "no node has room for it")
    verdicts = {pods.name_of(node): why_not(pod, node) for node in nodes}
    details = [f"{name}: {verdict or 'fits, but is in use'}" for name, verdict in sorted(verdicts.items())]
    if not nodes:
        return Pending(State.PENDING, Reason.UNSCHEDULABLE, "the cluster has no nodes", hint="ask who runs the cluster")
    if all(verdicts.values()):
        few = f"; {details[0]}" if len(details) == 1 else ""
        return Pending(State.PENDING, Reason.UNSCHEDULABLE, f"none of {_count(nodes)} can take it{few}", details)
    fitting = sum(1 for verdict in verdicts.values() if not verdict)
    text = (
        f"{fitting} of {_count(nodes)} could take it and {'is' if fitting == 1 else 'are'} full: {_scheduler(message)}"
    )
    hint = "it starts by itself when other jobs have ended; see: mlctl queue"
    return Pending(State.PENDING, Reason.NO_CAPACITY, text, details, hint)


def _count(nodes: Sequence[Json]) -> str:
    return "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"


def _scheduler(message: str) -> str:
    """Return the part of the scheduler's message that says what is short."""
    return ", ".join(f"{what} on {number}" for number, what in _SHORT.findall(message)) or message


def _no_image(image: str, reason: str, message: str, pod: Json) -> Pending:
    if reason == "InvalidImageName":
        return Pending(State.PENDING, Reason.IMAGE_PULL, f"{image} is not the name of an image")
    if any(sign in message.lower() for sign in _DENIED):
        secrets = [one.get("name", "") for one in pod.get("spec", {}).get("imagePullSecrets") or ()]
        used = f"with the Secret {', '.join(secrets)}" if secrets else "without a Secret"
        text = f"image {image} may not be pulled {used}: {message}"
        return Pending(State.PENDING, Reason.IMAGE_PULL, text, hint="name a Secret in kubernetes.image_pull_secrets")
    return Pending(State.PENDING, Reason.IMAGE_PULL, f"image {image} cannot be pulled: {message or reason}")


def _pull_message(message: str, events: Sequence[Json]) -> str:
    """Return why a pull failed: `Back-off pulling image` alone does not tell, the event before it does."""
    failed = [str(event.get("message", "")) for event in events if event.get("reason") == "Failed"]
    told = [text for text in (*failed, message) if "pull" in text.lower() and not text.startswith(_NOTHING_NEW)]
    text = _PULLED.sub("", told[-1] if told else message)
    return text.rpartition("rpc error: ")[2].partition("desc = ")[2] or text


def _starting(pod: Json, events: Sequence[Json]) -> Pending:
    mounts = [event for event in events if event.get("reason") in _MOUNT and _times(event) >= _OFTEN]
    if mounts and not pods.container(pod, FETCH).get("started") and not pods.ended(pod, FETCH):
        return Pending(State.PENDING, Reason.VOLUME_NOT_BOUND, str(mounts[-1].get("message", "")))
    pulls = [event for event in events if event.get("reason") in ("Pulling", "Pulled")]
    if pulls and pulls[-1].get("reason") == "Pulling":
        found = re.search(r'image "([^"]+)"', str(pulls[-1].get("message", "")))
        text = f"node {pods.node_of(pod)} pulls the image {found[1] if found else ''}".rstrip()
        return Pending(State.STARTING, None, text)
    if pods.is_running(pod, FETCH):
        hint = "if it takes long: mlctl logs {job} -v {version} --source fetch"
        return Pending(State.STARTING, None, "fetching code and data", hint=hint)
    return Pending(State.STARTING, None, f"being started on node {pods.node_of(pod)}")


def _times(event: Json) -> int:
    return int(event.get("count") or (event.get("series") or {}).get("count") or 1)
