"""The cluster: its version, the namespace, GPUs, queues, and which images jobs need."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from orchestrator.amounts import count
from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.fit import amount_of, requests_of
from orchestrator.backends.kubernetes.gpus import kind_of
from orchestrator.backends.kubernetes.images import from_registry
from orchestrator.backends.kubernetes.site import site_of
from orchestrator.config import Context
from orchestrator.doctor.finding import Finding, Level
from orchestrator.engines import list_engines
from orchestrator.errors import NotFoundError, PermissionDeniedError

Json = dict[str, Any]

OLDEST = (1, 29)  # Kubernetes with native sidecars switched on
KUEUE = "kueue.x-k8s.io"
_ENFORCE = "pod-security.kubernetes.io/enforce"


def version(api: Api) -> Iterator[Finding]:
    """Yield which Kubernetes it is."""
    told = api.get("/version")
    found = int(told["major"]), int(told["minor"].rstrip("+"))
    good = found >= OLDEST
    hint = "" if good else "sidecars that end with their pod need Kubernetes 1.29"
    yield Finding(Level.OK if good else Level.FAIL, "cluster", f"{told['gitVersion']}, {api.host}", hint)


def namespace(api: Api) -> Iterator[Finding]:
    """Yield whether the namespace is there, and what it lets pods do."""
    try:
        found = api.get(f"/api/v1/namespaces/{api.namespace}")
    except PermissionDeniedError:
        yield Finding(Level.OK, "namespace", f"{api.namespace}, which may not be read")
        return
    except NotFoundError as error:
        hint = f"kubectl create namespace {api.namespace}"
        yield Finding(Level.FAIL, "namespace", error.message, hint)
        return
    level = (found["metadata"].get("labels") or {}).get(_ENFORCE, "privileged")
    allowed = "" if level == "privileged" else ", which refuses `security: image`" if level == "restricted" else ""
    yield Finding(Level.OK, "namespace", f"{api.namespace}, Pod Security level {level}{allowed}")


def gpus(api: Api) -> Iterator[Finding]:
    """Yield which GPUs the nodes have, by resource and kind, and how many are free."""
    try:
        nodes = api.list("/api/v1/nodes")
    except PermissionDeniedError:
        yield Finding(Level.WARN, "GPUs", "not known: nodes may not be listed", "chart: access.nodes=true")
        return
    try:
        taken = _taken(api.list("/api/v1/pods", fieldSelector="status.phase!=Succeeded,status.phase!=Failed"))
    except PermissionDeniedError:
        taken = None
    total: dict[tuple[str, str], int] = defaultdict(int)
    free: dict[tuple[str, str], int] = defaultdict(int)
    for node in nodes:
        has = node.get("status", {}).get("allocatable") or {}
        for resource, amount in ((name, int(amount_of(has[name]))) for name in has if _is_gpu(name)):
            kind = resource, kind_of(node["metadata"].get("labels") or {})
            total[kind] += amount
            open_ = pods.holds(node, "Ready") and not node.get("spec", {}).get("unschedulable")
            used = int((taken or {}).get((pods.name_of(node), resource), 0))
            free[kind] += max(0, amount - used) if open_ else 0
    for (resource, name), number in sorted(total.items()):
        if number:
            rest = f"{free[resource, name]} free" if taken is not None else "how many are free may not be seen"
            yield Finding(Level.OK, "GPUs", f"{number} {name or 'of a kind that no label tells'} ({resource}), {rest}")
    if not any(total.values()):
        yield Finding(Level.OK, "GPUs", f"none on {count(len(nodes), 'node')}")


def queues(api: Api) -> Iterator[Finding]:
    """Yield whether there is Kueue, and its queues in the namespace."""
    if KUEUE not in {group["name"] for group in api.get("/apis").get("groups") or ()}:
        yield Finding(Level.OK, "queues", "no Kueue: jobs start when a node has room")
        return
    try:
        found = api.list(api.path(f"{KUEUE}/v1beta1/localqueues"))
    except PermissionDeniedError as error:
        yield Finding(Level.WARN, "queues", "Kueue, whose queues may not be listed", error.hint)
        return
    names = ", ".join(sorted(map(pods.name_of, found)))
    yield Finding(Level.OK, "queues", f"of Kueue: {names or f'none in namespace {api.namespace}'}")


def images(context: Context) -> Iterator[Finding]:
    """Yield the names of the engines' images; whether nodes can pull them is seen when a job asks for one."""
    registry = site_of(context, "").image_registry
    for engine in list_engines():
        names = [from_registry(name, registry) for name in (engine.images.cpu, engine.images.gpu) if name]
        yield Finding(Level.OK, f"engine {engine.name}", ", ".join(names))


def _taken(running: list[Json]) -> dict[tuple[str, str], Decimal]:
    """Return how much of each resource is taken, by node."""
    taken: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for pod in running:
        for resource, amount in requests_of(pod).items():
            taken[pods.node_of(pod), resource] += amount
    return taken


def _is_gpu(resource: str) -> bool:
    return "/" in resource and ("gpu" in resource or "/mig-" in resource)
