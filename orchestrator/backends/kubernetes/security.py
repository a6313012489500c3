"""How little containers may do: the profile `restricted` of the Pod Security Standards.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from typing import Any

from orchestrator.specs.kubernetes import Kubernetes

Json = dict[str, Any]

USER = 1000  # user, and group of the shared volume
_ROOT = 0


def pod_security(section: Kubernetes) -> Json:
    """Return the security context of the pod.

    With `security: image` the script runs as its image says, and fetch and sync as root, since they have to read
    whatever the script's user has written.
    """
    context: Json = {
        "fsGroup": USER,
        "fsGroupChangePolicy": "OnRootMismatch",  # else every file of a large volume is touched at each start
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if section.security == "image":
        return context
    return {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, **context}


def main_security(section: Kubernetes) -> Json:
    """Return the security context of the script's container."""
    return {} if section.security == "image" else _restricted()


def runtime_security(section: Kubernetes) -> Json:
    """Return the security context of fetch and sync."""
    if section.security == "image":
        return {"runAsUser": _ROOT, "runAsNonRoot": False, "allowPrivilegeEscalation": False}
    return _restricted()


def _restricted() -> Json:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
