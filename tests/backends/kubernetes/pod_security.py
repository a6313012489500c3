"""The profile `restricted` of the Pod Security Standards, with what of `baseline` a pod of ours could break.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from typing import Any

VOLUME_TYPES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def violations(pod: dict[str, Any]) -> list[str]:
    """Return what of a pod's spec the profile forbids."""
    found = [f"{field} is set" for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field)]
    for volume in pod.get("volumes", []):
        if not set(volume) - {"name"} <= VOLUME_TYPES:
            found.append(f"volume {volume['name']} is of a forbidden type")
    whole = pod.get("securityContext", {})
    for one in [*pod.get("initContainers", []), *pod["containers"]]:
        found += [f"{one['name']}: {reason}" for reason in _container(one, whole)]
    return found


def _container(one: dict[str, Any], whole: dict[str, Any]) -> list[str]:
    own = one.get("securityContext", {})
    settled = {**whole, **own}
    capabilities = own.get("capabilities", {})
    checks = {
        "privileged": not own.get("privileged"),
        "privilege escalation": own.get("allowPrivilegeEscalation") is False,
        "capabilities not dropped": "ALL" in capabilities.get("drop", []),
        "capabilities added": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        "may be root": settled.get("runAsNonRoot") is True,
        "is root": settled.get("runAsUser") != 0,
        "seccomp": settled.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
        "host ports": not any(port.get("hostPort") for port in one.get("ports", [])),
    }
    return [reason for reason, right in checks.items() if not right]
