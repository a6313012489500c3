"""The short Job that tries the runtime image, and the store from inside the cluster."""

from typing import Any

from orchestrator.backends.kubernetes import environment, security, volumes
from orchestrator.backends.kubernetes.images import from_registry
from orchestrator.backends.kubernetes.names import MAIN, MANAGED_BY, MANAGER
from orchestrator.backends.kubernetes.order import Site
from orchestrator.backends.kubernetes.resources import runtime_resources

Json = dict[str, Any]

DEADLINE = 300  # seconds after which the cluster ends it
KEPT = 60  # seconds that it stays when nobody is left to remove it


def check_manifest(name: str, site: Site) -> Json:
    """Return the Job, as restricted as those that train.

    Args:
        name: Of it.
        site: Where jobs run.
    """
    section = site.defaults
    mounts = volumes.runtime_mounts(site)
    container = {
        "name": MAIN,
        "image": from_registry(site.runtime_image, site.image_registry),
        "command": ["python", "-m", "orchestrator.runtime.pod", "check"],
        "env": environment.check_environment(site),
        "resources": runtime_resources(),
        "securityContext": security.runtime_security(section),
        "volumeMounts": mounts,
    }
    spec: Json = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": security.pod_security(section),
        "containers": [container],
        "volumes": volumes.runtime_volumes(site),
    }
    if section.service_account:
        spec["serviceAccountName"] = section.service_account
    if section.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": one} for one in section.image_pull_secrets]
    labels = {"app.kubernetes.io/name": MANAGER, "app.kubernetes.io/component": "check", MANAGED_BY: MANAGER}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": site.namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE,
            "ttlSecondsAfterFinished": KEPT,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
