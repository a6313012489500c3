"""What the server tells of itself: versions, groups and resources, and what a user may do."""

from urllib.parse import urlsplit

from tests.kubernetes.standin.faults import USER, Faults
from tests.kubernetes.standin.resources import RESOURCES, Object, Resource
from tests.kubernetes.standin.schema import Schemas

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
PARTS = {"pods": ["log", "exec", "eviction"]}
REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews")


def answer(method: str, url: str, body: Object, faults: Faults, schemas: Schemas, absent: set[str]) -> Object | None:
    """Answer a path that no resource has; None if there is no such path, also of a group that is absent."""
    path = urlsplit(url).path.strip("/").split("/")
    if method == "POST" and path[:3] == ["apis", "authorization.k8s.io", "v1"]:
        return _review(body, faults) if path[-1] == REVIEWS[0] else None
    if method != "GET":
        return None
    match path:
        case ["version"]:
            major, minor = schemas.version.split(".")
            return {
                "major": major,
                "minor": minor,
                "gitVersion": f"v{schemas.version}.0",
                "gitCommit": "0" * 40,
                "gitTreeState": "clean",
                "buildDate": "2026-01-01T00:00:00Z",
                "goVersion": "go1.25",
                "compiler": "gc",
                "platform": "linux/amd64",
            }
        case ["healthz" | "livez" | "readyz"]:
            return {"status": "ok"}
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["openapi", "v3"]:
            names = [f"apis/{group}/{version}" for group in _groups(absent) for version in _versions(group)]
            return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}"} for name in ("api/v1", *names)}}
        case ["openapi", "v3", *rest]:
            return _openapi("/".join(rest[1:]))
        case ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in _groups(absent)]}
        case ["apis", group] if group in _groups(absent):
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}
        case ["api", "v1"]:
            return _resources("", "v1")
        case ["apis", group, version] if group in _groups(absent) and version in _versions(group):
            return _resources(group, version)
    return None


def _openapi(api_version: str) -> Object:
    """Tell kubectl that the server validates fields, so that it need not do so itself; there is nothing else in it."""
    parameter = {"name": "fieldValidation", "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    paths = {}
    for resource in RESOURCES:
        if resource.api_version == api_version:
            kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
            operation = {"parameters": [parameter], "responses": {}, "x-kubernetes-group-version-kind": kind}
            paths[f"/{resource.plural}/{{name}}"] = {"patch": operation}
    information = {"title": "Kubernetes", "version": api_version}
    return {"openapi": "3.0.0", "info": information, "paths": paths, "components": {"schemas": {}}}


def _groups(absent: set[str]) -> list[str]:
    return [
        *dict.fromkeys(resource.group for resource in RESOURCES if resource.group not in {"", *absent}),
        "authorization.k8s.io",
    ]


def _versions(group: str) -> list[str]:
    return list(dict.fromkeys(resource.version for resource in RESOURCES if resource.group == group)) or ["v1"]


def _group(name: str) -> Object:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in _versions(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resources(group: str, version: str) -> Object:
    entries: list[Object] = []
    for resource in RESOURCES:
        if (resource.group, resource.version) == (group, version):
            entries.append(_entry(resource, resource.plural, VERBS) | {"singularName": resource.kind.lower()})
            parts = [*(["status"] if resource.has_status else []), *PARTS.get(resource.plural, [])]
            entries += [_entry(resource, f"{resource.plural}/{part}", ["get", "patch", "update"]) for part in parts]
    if group == "authorization.k8s.io":
        kind = "SelfSubjectAccessReview"
        entries.append({"name": REVIEWS[0], "singularName": "", "namespaced": False, "kind": kind, "verbs": ["create"]})
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": entries}


def _entry(resource: Resource, name: str, verbs: list[str]) -> Object:
    return {
        "name": name,
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": verbs,
        **({"shortNames": list(resource.short)} if resource.short and "/" not in name else {}),
    }


def _review(body: Object, faults: Faults) -> Object:
    asked = (body.get("spec") or {}).get("resourceAttributes") or {}
    resource = asked.get("resource", "*") + (f"/{asked['subresource']}" if asked.get("subresource") else "")
    allowed = not faults.is_denied(asked.get("verb", "*"), resource)
    status: Object = {"allowed": allowed}
    if allowed:
        status["reason"] = f'RBAC: allowed by RoleBinding "tester/default" of Role "tester" to User "{USER}"'
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": body.get("spec") or {},
        "status": status,
    }
