"""The store as pods reach it: a short Job with the runtime image, removed afterwards."""

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.check import check_manifest
from orchestrator.backends.kubernetes.cluster import JOBS, PODS, events_of, nodes_of
from orchestrator.backends.kubernetes.names import MAIN
from orchestrator.backends.kubernetes.pending import Pending, of_pod, without_pods
from orchestrator.backends.kubernetes.service import JOB_LABEL
from orchestrator.backends.kubernetes.site import site_and_secret, user_keys
from orchestrator.backends.kubernetes.submit import SECRETS
from orchestrator.config import Context
from orchestrator.doctor.finding import Finding, Level
from orchestrator.errors import MlctlError, PermissionDeniedError, UsageError

Json = dict[str, Any]

WAIT = 180.0  # seconds for the pod to end, its image's pull included
SURE = 3.0  # seconds that the same trouble lasts before it is believed
PAUSE = 0.3  # seconds between two looks
_SUBJECT = "pod"


def inside(api: Api, context: Context) -> Iterator[Finding]:
    """Yield whether a pod starts, and what it says of the store."""
    site, secret = site_and_secret(context, user_keys(context)())
    if secret is not None:
        api.apply(api.path(SECRETS, pods.name_of(secret)), secret)
    manifest = check_manifest(f"mlctl-check-{secrets.token_hex(4)}", site)
    job = api.create(api.path(JOBS), manifest)
    try:
        yield from _watch(api, job)
    finally:
        with suppress(MlctlError):  # it goes by itself after a while
            api.delete(api.path(JOBS, pods.name_of(job)))


def _watch(api: Api, job: Json) -> Iterator[Finding]:
    end = time.monotonic() + WAIT
    told = False
    trouble: Pending | None = None
    since = 0.0
    while time.monotonic() < end:
        found = api.list(api.path(PODS), labelSelector=f"{JOB_LABEL}={pods.name_of(job)}")
        pod = found[0] if found else None
        ended = pods.ended(pod, MAIN) if pod else None
        if pod and not told and (ended or pods.is_running(pod, MAIN)):
            told = True
            yield Finding(Level.OK, _SUBJECT, f"{pods.image(pod, MAIN)} was pulled, on node {pods.node_of(pod)}")
        if pod and ended:
            yield verdict(_said(api, pod), ended)
            return
        if not told:
            why = of_pod(pod, _events(api, pod), _nodes(api, pod)) if pod else without_pods(job, _events(api, job))
            if trouble is None or why.reason != trouble.reason:
                since = time.monotonic()
            trouble = why
            if why.reason and time.monotonic() - since > SURE:
                yield _stuck(why)
                return
        time.sleep(PAUSE)
    yield _stuck(trouble) if trouble else Finding(Level.FAIL, _SUBJECT, f"it has not ended after {WAIT:g} s")


def _stuck(why: Pending) -> Finding:
    details = f" ({'; '.join(why.details)})" if why.details else ""
    hint = why.hint or "jobs would wait in the same way; run it again when that is mended"
    return Finding(Level.FAIL, _SUBJECT, f"{why.message}{details}", hint)


def verdict(said: str, ended: pods.Ended) -> Finding:
    """Return what the pod's words and its exit code mean."""
    first, _, rest = said.partition("\n")
    if ended.code == 0:
        return Finding(Level.OK, "store in the pod", first)
    message = first or f"the check ended with {ended.code} ({ended.reason}) and said nothing"
    hint = " ".join(rest.split())
    if ended.code == UsageError.exit_code:
        hint = "the runtime image must be of this version of mlctl: mlctl images build runtime --push"
    elif not hint:
        hint = "pods may need another address of the store: mlctl context add --cluster-endpoint URL"
    return Finding(Level.FAIL, "store in the pod", message, hint)


def _said(api: Api, pod: Json) -> str:
    path = api.path(PODS, pods.name_of(pod), part="log")
    try:
        return b"".join(api.stream(path, read_timeout=30, container=MAIN)).decode(errors="replace").strip()
    except PermissionDeniedError:
        return ""


def _events(api: Api, thing: Json) -> list[Json]:
    try:
        return events_of(api, thing)
    except PermissionDeniedError:
        return []


def _nodes(api: Api, pod: Json) -> list[Json] | None:
    if (pods.condition(pod, "PodScheduled") or {}).get("status") != "False":
        return None
    return nodes_of(api)
