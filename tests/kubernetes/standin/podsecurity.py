"""The Pod Security Standards, in the words of the real admission plugin: levels `baseline` and `restricted`.

Of `baseline`, host namespaces, host paths, privileged containers and added capabilities are looked at.
"""

from collections.abc import Iterable, Iterator

from tests.kubernetes.standin.resources import Object

LABEL = "pod-security.kubernetes.io/"
ALLOWED_VOLUMES = {
    *(
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
}


def violations(level: str, spec: Object) -> str:
    """Tell all that a pod's spec does against a level; empty if it does nothing."""
    found = list(_baseline(spec, level)) if level in {"baseline", "restricted"} else []
    return ", ".join(found + (list(_restricted(spec)) if level == "restricted" else []))


def _containers(spec: Object) -> list[Object]:
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def _context(thing: Object) -> Object:
    context: Object = thing.get("securityContext") or {}
    return context


def _named(names: Iterable[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return f"container{'s' if len(quoted) > 1 else ''} {', '.join(quoted)}"


def _baseline(spec: Object, level: str) -> Iterator[str]:
    host = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    if host:
        yield f"host namespaces ({', '.join(f'{name}=true' for name in host)})"
    paths = [volume["name"] for volume in spec.get("volumes") or [] if "hostPath" in volume]
    if paths and level == "baseline":  # `restricted` has a stricter rule of its own
        names = ", ".join(f'"{name}"' for name in paths)
        yield f"hostPath volumes (volume{'s' if len(paths) > 1 else ''} {names})"
    privileged = [item["name"] for item in _containers(spec) if _context(item).get("privileged")]
    if privileged:
        must = "must not set securityContext.privileged=true"
        yield f"privileged ({_named(privileged)} {must})"


def _restricted(spec: Object) -> Iterator[str]:
    containers = _containers(spec)
    rights = [item["name"] for item in containers if _context(item).get("allowPrivilegeEscalation") is not False]
    if rights:
        yield (
            f"allowPrivilegeEscalation != false ({_named(rights)} must set "
            "securityContext.allowPrivilegeEscalation=false)"
        )
    able = [
        item["name"] for item in containers if "ALL" not in (_context(item).get("capabilities") or {}).get("drop", [])
    ]
    if able:
        yield f'unrestricted capabilities ({_named(able)} must set securityContext.capabilities.drop=["ALL"])'
    kinds = {volume["name"]: set(volume) - {"name"} - ALLOWED_VOLUMES for volume in spec.get("volumes") or []}
    for name, kind in kinds.items():
        if kind:
            yield f'restricted volume types (volume "{name}" uses restricted volume type "{min(kind)}")'
    yield from _everywhere(spec, "runAsNonRoot", True, "runAsNonRoot != true", "securityContext.runAsNonRoot=true")
    roots = [item["name"] for item in containers if _context(item).get("runAsUser") == 0]
    if _context(spec).get("runAsUser") == 0 or roots:
        who = "pod" if _context(spec).get("runAsUser") == 0 else _named(roots)
        yield f"runAsUser=0 ({who} must not set runAsUser=0)"
    must = 'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    allowed = {"RuntimeDefault", "Localhost"}
    if (_context(spec).get("seccompProfile") or {}).get("type") not in allowed:
        open_ones = [
            item["name"]
            for item in containers
            if (_context(item).get("seccompProfile") or {}).get("type") not in allowed
        ]
        if open_ones:
            who = f"pod or {_named(open_ones)}"
            yield f"seccompProfile ({who} must set {must})"


def _everywhere(spec: Object, field: str, wanted: object, title: str, must: str) -> Iterator[str]:
    """Tell of containers that lack a setting which the pod does not have either."""
    if _context(spec).get(field) is wanted:
        lacking = [item["name"] for item in _containers(spec) if _context(item).get(field, wanted) is not wanted]
        who = _named(lacking) if lacking else ""
    else:
        lacking = [item["name"] for item in _containers(spec) if _context(item).get(field) is not wanted]
        who = f"pod or {_named(lacking)}" if lacking else ""
    if who:
        yield f"{title} ({who} must set {must})"
