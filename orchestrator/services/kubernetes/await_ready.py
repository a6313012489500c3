"""Wait until a change is in force, or it is clear that it will not be."""

import time
from typing import Any

from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.cluster import events_of, nodes_of
from orchestrator.backends.kubernetes.refusals import TroubleError
from orchestrator.errors import ConflictError, PermissionDeniedError, PreflightError
from orchestrator.progress import Reporter
from orchestrator.services.kubernetes.manifests import PATIENCE
from orchestrator.services.kubernetes.objects import Objects
from orchestrator.services.kubernetes.plan import REVISION, Plan
from orchestrator.services.kubernetes.rollout import Trouble, is_done, of_revision, trouble

Json = dict[str, Any]

STUCK = 60.0  # seconds after which what rarely passes is taken to stay: an image that cannot be pulled, a full quota
POLL = 0.3  # seconds


class OvertakenError(ConflictError):
    """What was applied is not in force, for somebody else has applied something else."""


def await_ready(api: Api, objects: Objects, plan: Plan, reporter: Reporter) -> None:
    """Return when all pods of a plan are ready, and no others take requests.

    Args:
        api: The namespace.
        objects: In it.
        plan: What was applied.
        reporter: Told what it waits for.

    Raises:
        PreflightError: They do not become ready; says why.
        OvertakenError: Somebody else has made another change.
    """
    deadline = time.monotonic() + PATIENCE
    since, told = 0.0, ""
    found: Trouble | None = None
    while time.monotonic() < deadline:
        try:
            deployment = _ours(plan, objects.deployment(plan.name))
            if is_done(deployment):
                return
            found = _look(api, objects, plan, deployment)
        except TroubleError as error:  # the pods go on without the API server
            found = Trouble(error.message)
        since = since or time.monotonic() if found and not found.passes else 0.0
        if found and (found.final or (since and time.monotonic() - since > STUCK)):
            _refuse(plan, found)
        if found and found.message != told:
            told = found.message
            reporter.note(f"service {plan.name} waits: {told}")
        time.sleep(POLL)
    late = Trouble(f"its pods are not ready after {PATIENCE} s")
    _refuse(plan, late._replace(message=f"{late.message}: {found.message}", hint=found.hint) if found else late)


def _ours(plan: Plan, deployment: Json | None) -> Json:
    """Return the Deployment, if it is still what was applied."""
    if deployment and deployment["spec"]["template"]["metadata"]["labels"].get(REVISION) == plan.revision:
        return deployment
    message = f"somebody else has {'changed' if deployment else 'deleted'} the service {plan.name} meanwhile"
    raise OvertakenError(message, hint=f"mlctl service get {plan.name} has the history; run the same command again")


def _look(api: Api, objects: Objects, plan: Plan, deployment: Json) -> Trouble | None:
    every = of_revision(objects.pods(plan.name), plan.revision)
    waiting = [pod for pod in every if not pods.holds(pod, "Ready")]
    events = {pod["metadata"]["uid"]: _events(api, pod) for pod in waiting}
    unscheduled = any((pods.condition(pod, "PodScheduled") or {}).get("status") == "False" for pod in waiting)
    return trouble(deployment, every, events, nodes_of(api) if unscheduled else None)


def _events(api: Api, pod: Json) -> list[Json]:
    try:
        return events_of(api, pod)
    except PermissionDeniedError:  # without events there is less to tell
        return []


def _refuse(plan: Plan, found: Trouble) -> None:
    hint = found.hint or f"mlctl service logs {plan.name} --models; or load it alone: mlctl model lint NAME --load"
    raise PreflightError(f"service {plan.name} does not answer with that: {found.message}", hint=hint)
