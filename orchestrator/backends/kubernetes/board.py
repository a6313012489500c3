"""TensorBoard in a cluster: a short Job, with what brings event files beside it, and a Service to ask it through."""

from collections.abc import Sequence
from typing import Any

import msgspec

from orchestrator.backends.kubernetes import environment, security, volumes
from orchestrator.backends.kubernetes.images import from_registry
from orchestrator.backends.kubernetes.names import MAIN
from orchestrator.backends.kubernetes.order import Site
from orchestrator.backends.kubernetes.resources import runtime_resources
from orchestrator.backends.kubernetes.service import JOB_LABEL
from orchestrator.backends.kubernetes.short_job import component_labels, short_job
from orchestrator.runtime.pod.board import FOLDER, RUNS, Shown

Json = dict[str, Any]

COMPONENT = "tensorboard"
EVENTS = "events"  # container
PORT, PORT_NAME = 6006, "http"
PULL = 900  # seconds for its images, beside the time that it is asked for
GRACE = 5  # seconds
_RESOURCES = {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}


def board_manifest(name: str, site: Site, *, image: str, shown: Sequence[Shown], title: str, seconds: int) -> Json:
    """Return the Job, as restricted as those that train.

    Args:
        name: Of it.
        site: Where jobs run.
        image: With TensorBoard.
        shown: The versions.
        title: Of the window.
        seconds: After which the cluster ends it, if nobody else has.
    """
    section = site.defaults
    runs = {"name": RUNS, "value": msgspec.json.encode(shown).decode()}
    events = {
        "name": EVENTS,
        "image": from_registry(site.runtime_image, site.image_registry),
        "command": ["python", "-m", "orchestrator.runtime.pod", "board"],
        "env": [*environment.check_environment(site), runs],
        "restartPolicy": "Always",
        "resources": runtime_resources(),
        "securityContext": security.runtime_security(section),
        "volumeMounts": volumes.runtime_mounts(site),
    }
    main = {
        "name": MAIN,
        "image": from_registry(image, site.image_registry),
        "command": [
            *("python", "-m", "tensorboard.main", f"--logdir={volumes.SHARED}/{FOLDER}", "--host=$(MLCTL_LISTEN)"),
            *(f"--port={PORT}", f"--window_title={title}", "--reload_interval=5"),
            *("--reload_multifile=true", "--reload_multifile_inactive_secs=-1"),
        ],
        "env": [{"name": "MLCTL_LISTEN", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "ports": [{"name": PORT_NAME, "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/", "port": PORT_NAME}, "periodSeconds": 2, "timeoutSeconds": 5},
        "resources": _RESOURCES,
        "securityContext": security.main_security(section),
        "volumeMounts": [{"name": "mlctl", "mountPath": volumes.SHARED, "readOnly": True}],
    }
    return short_job(name, site, COMPONENT, [main], before=[events], seconds=seconds + PULL, grace=GRACE)


def board_service(name: str, site: Site, *, owner: str) -> Json:
    """Return the Service.

    Args:
        name: Of it, and of the Job.
        site: Where jobs run.
        owner: `metadata.uid` of the Job, with which it goes.
    """
    owners = [{"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": owner}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": site.namespace,
            "labels": component_labels(COMPONENT),
            "ownerReferences": owners,
        },
        "spec": {
            "selector": {JOB_LABEL: name},
            "ports": [{"name": PORT_NAME, "port": PORT, "targetPort": PORT_NAME}],
        },
    }
