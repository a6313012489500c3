"""The headless Service that gives the pods of a job with several nodes names to reach each other by."""

from typing import Any

from orchestrator.backends.kubernetes.names import labels
from orchestrator.backends.kubernetes.order import Order, Site

Json = dict[str, Any]

JOB_LABEL = "batch.kubernetes.io/job-name"  # on pods, by the Job controller


def service_manifest(order: Order, site: Site, *, owner: str = "") -> Json:
    """Return the Service.

    Args:
        order: The job version.
        site: Where it runs.
        owner: `metadata.uid` of the Job object, with which the Service goes; empty where it is not known yet.
    """
    metadata: Json = {
        "name": order.name,
        "namespace": site.namespace,
        "labels": labels(order.task.job, order.task.version, order.run, order.name),
    }
    if owner:
        metadata["ownerReferences"] = [
            {"apiVersion": "batch/v1", "kind": "Job", "name": order.name, "uid": owner, "controller": True}
        ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "clusterIP": "None",
            "selector": {JOB_LABEL: order.name},
            "publishNotReadyAddresses": True,  # workers look for each other before all are ready
        },
    }
