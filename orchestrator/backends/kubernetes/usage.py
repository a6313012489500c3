"""What pods use, as the cluster's metrics server tells it."""

from collections.abc import Mapping
from typing import Any

from orchestrator.backends.base import Usage
from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.fit import amount_of
from orchestrator.backends.kubernetes.state import Seen
from orchestrator.errors import NotFoundError

Json = dict[str, Any]

GROUP = "metrics.k8s.io"


def has_metrics(api: Api) -> bool:
    """Tell whether the cluster has a metrics server."""
    return GROUP in {group["name"] for group in api.get("/apis").get("groups") or ()}


def metrics(api: Api) -> dict[str, Json]:
    """Return the newest measurement of each pod of the namespace, by name.

    Raises:
        NotFoundError: There is no metrics server.
    """
    if not has_metrics(api):
        raise NotFoundError(f"{api.place} has no {GROUP}", hint="ask who runs it for the metrics server")
    return {pods.name_of(item): item for item in api.list(api.path(f"{GROUP}/v1beta1/pods"))}


def usage_of(seen: Seen | None, measured: Mapping[str, Json]) -> Usage | None:
    """Return what a job's pods use together, all their containers; None if none was measured."""
    names = [pods.name_of(pod) for pod in seen.pods] if seen else []
    used = [one["usage"] for name in names if name in measured for one in measured[name]["containers"]]
    if not used:
        return None
    return Usage(
        cpus=float(sum(amount_of(one.get("cpu", 0)) for one in used)),
        memory=int(sum(amount_of(one.get("memory", 0)) for one in used)),
    )
