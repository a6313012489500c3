"""The short Job that tries the runtime image, and the store from inside the cluster."""

from typing import Any

from orchestrator.backends.kubernetes import environment, security, volumes
from orchestrator.backends.kubernetes.images import from_registry
from orchestrator.backends.kubernetes.names import MAIN
from orchestrator.backends.kubernetes.order import Site
from orchestrator.backends.kubernetes.resources import runtime_resources
from orchestrator.backends.kubernetes.short_job import short_job

Json = dict[str, Any]

DEADLINE = 300  # seconds after which the cluster ends it


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
    return short_job(name, site, "check", [container], seconds=DEADLINE, grace=1)
