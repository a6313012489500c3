"""Manifests for the tests of the stand-in: Jobs of shell commands."""

from typing import Any

from tests.kubernetes.clusters import IMAGE
from tests.kubernetes.standin.resources import Object


def container(name: str, script: str, **more: Any) -> Object:
    """Build a container that runs a script of the shell."""
    return {"name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script], **more}


def pod_spec(script: str = "true", **more: Any) -> Object:
    """Build a pod's spec with one container, `main`."""
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container("main", script)]}
    return {**spec, **more}


def pod(name: str, script: str = "true", **more: Any) -> Object:
    """Build a pod."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod_spec(script, **more)}


def job(name: str, script: str = "true", *, spec: Object | None = None, **more: Any) -> Object:
    """Build a Job without retries; `spec` is of the Job, what else is named is of its pods."""
    template = {"metadata": {"labels": {"app": name}}, "spec": pod_spec(script, **more)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template, **(spec or {})},
    }
