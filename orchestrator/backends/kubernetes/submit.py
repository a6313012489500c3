"""Make a job's objects in the cluster: as often as one likes, with the same result."""

from typing import Any

from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.cluster import JOBS
from orchestrator.backends.kubernetes.job import job_manifest
from orchestrator.backends.kubernetes.names import DIGEST
from orchestrator.backends.kubernetes.order import Order, Site
from orchestrator.backends.kubernetes.pods import name_of
from orchestrator.backends.kubernetes.refusals import ExistsError
from orchestrator.backends.kubernetes.service import service_manifest
from orchestrator.errors import ConflictError

Json = dict[str, Any]

SECRETS, SERVICES = "v1/secrets", "v1/services"


def manifests(order: Order, site: Site) -> list[Json]:
    """Return the objects of one run, without the Secret, in the order in which they are made."""
    job = job_manifest(order, site)
    return [job, service_manifest(order, site)] if order.nodes > 1 else [job]


def submit(api: Api, order: Order, site: Site, secret: Json | None) -> Json:
    """Make the objects of one run and return the Job.

    Args:
        api: The cluster.
        order: The run.
        site: Where it runs.
        secret: The store's, where mlctl looks after it.

    Raises:
        ConflictError: Another Job has its name.
        MlctlError: The cluster refuses, or cannot be reached.
    """
    if secret is not None:
        api.apply(api.path(SECRETS, name_of(secret)), secret)
    job = _create(api, job_manifest(order, site))
    if order.nodes > 1:
        service = service_manifest(order, site, owner=job["metadata"]["uid"])
        api.apply(api.path(SERVICES, name_of(service)), service)
    return job


def _create(api: Api, manifest: Json) -> Json:
    try:
        return api.create(api.path(JOBS), manifest)
    except ExistsError:
        present = api.get(api.path(JOBS, name_of(manifest)))
    wanted = manifest["metadata"]["annotations"][DIGEST]
    if (present["metadata"].get("annotations") or {}).get(DIGEST) == wanted:
        return present  # made by an earlier try, whose answer was lost or whose command was killed
    hint = f"look at it: kubectl get job {name_of(manifest)} -o yaml"
    raise ConflictError(f"{api.place} has another Job named {name_of(manifest)}", hint=hint)
