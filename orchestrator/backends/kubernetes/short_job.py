"""A Job of mlctl's own that trains nothing: as restricted as those that do, and gone soon after its end."""

from collections.abc import Sequence
from typing import Any

from orchestrator.backends.kubernetes import security, volumes
from orchestrator.backends.kubernetes.names import MANAGED_BY, MANAGER
from orchestrator.backends.kubernetes.order import Site

Json = dict[str, Any]

KEPT = 60  # seconds that it stays when it has ended and nobody is left to remove it


def short_job(
    name: str,
    site: Site,
    component: str,
    containers: Sequence[Json],
    *,
    before: Sequence[Json] = (),
    seconds: int,
    grace: int,
) -> Json:
    """Return the Job.

    Args:
        name: Of it.
        site: Where jobs run.
        component: What it is, for its labels.
        containers: Of its pod.
        before: Its init containers.
        seconds: After which the cluster ends it.
        grace: Seconds that it gets to end.
    """
    section = site.defaults
    spec: Json = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace,
        "securityContext": security.pod_security(section),
        **({"initContainers": [*before]} if before else {}),
        "containers": [*containers],
        "volumes": volumes.runtime_volumes(site),
    }
    if section.service_account:
        spec["serviceAccountName"] = section.service_account
    if section.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": one} for one in section.image_pull_secrets]
    labels = component_labels(component)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": site.namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": KEPT,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def component_labels(component: str) -> dict[str, str]:
    """Return the labels of an object of mlctl's own."""
    return {"app.kubernetes.io/name": MANAGER, "app.kubernetes.io/component": component, MANAGED_BY: MANAGER}
