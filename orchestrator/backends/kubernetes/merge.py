"""The strategic merge of Kubernetes, for the pod's spec: what `kubectl patch` does with the same text.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from typing import Any

from orchestrator.errors import SpecError

Json = dict[str, Any]

# Lists of a pod's spec whose items have an identity, and the field that holds it (`x-kubernetes-patch-merge-key` of the
# published schemas). Every other list is replaced as a whole, tolerations among them.
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "ports": "containerPort",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
_PATCH, _RETAIN = "$patch", "$retainKeys"


def strategic_merge(base: Json, patch: Json, path: str) -> Json:
    """Return a mapping with a patch applied: null removes, lists with identity are merged item by item.

    `$patch: delete` and `$patch: replace`, in a mapping or in an item of such a list, and `$retainKeys` are understood.

    Args:
        base: What is there; it stays as it is.
        patch: What is to change.
        path: Where the patch was written, for messages.

    Raises:
        SpecError: A directive is unknown, or an item has no identity.
    """
    directive = _directive(patch, path)
    if directive == "delete":
        return {}
    merged = {} if directive == "replace" else _retained(base, patch, path)
    for key, value in patch.items():
        if key in (_PATCH, _RETAIN):
            continue
        if key.startswith("$"):
            raise SpecError(f"`{path}` has the directive {key}, which is not understood", hint="use $patch: replace")
        if value is None:
            merged.pop(key, None)
        elif key in MERGE_KEYS:
            merged[key] = _merge_list(merged.get(key) or [], value, MERGE_KEYS[key], f"{path}.{key}")
        elif isinstance(value, dict):
            there = merged.get(key)
            merged[key] = strategic_merge(there if isinstance(there, dict) else {}, value, f"{path}.{key}")
        else:
            merged[key] = value
    return merged


def _directive(patch: Json, path: str) -> str:
    directive = patch.get(_PATCH, "merge")
    if directive not in ("merge", "replace", "delete"):
        raise SpecError(f"`{path}.$patch` must be `delete`, `replace` or `merge`, not {directive!r}")
    return str(directive)


def _retained(base: Json, patch: Json, path: str) -> Json:
    """Return what stays of a mapping: all, or the keys of `$retainKeys`."""
    keys = patch.get(_RETAIN, list(base))
    if not isinstance(keys, list):
        raise SpecError(f"`{path}.$retainKeys` must be a list of keys")
    return {key: value for key, value in base.items() if key in keys}


def _merge_list(base: list[Json], patch: Any, identity: str, path: str) -> list[Json]:
    items = _items(patch, identity, path)
    wanted = {str(item[identity]): item for item in items if identity in item}
    there = {str(item[identity]): item for item in base if identity in item}
    if any(item.get(_PATCH) == "replace" for item in items):
        there = {}
    merged: dict[str, Json] = {}
    for name, item in wanted.items():
        directive = _directive(item, f"{path}[{name}]")
        if directive == "delete":
            there.pop(name, None)
        elif directive == "merge":
            merged[name] = strategic_merge(there.get(name, {}), item, f"{path}[{name}]")
    return _in_order(merged, [name for name in there if name not in merged], list(there), there)


def _items(patch: Any, identity: str, path: str) -> list[Json]:
    if not isinstance(patch, list) or not all(isinstance(item, dict) for item in patch):
        raise SpecError(f"`{path}` must be a list of mappings, as in Kubernetes")
    for index, item in enumerate(patch):
        if identity not in item and item.get(_PATCH) != "replace":
            raise SpecError(f"`{path}[{index}]` has no `{identity}`, which tells it from the others")
    return patch


def _in_order(merged: dict[str, Json], untouched: list[str], before: list[str], there: dict[str, Json]) -> list[Json]:
    """Return the items in the order that the API server gives them.

    Those of the patch keep its order, the untouched ones theirs, and an untouched one goes before an item of the
    patch only if it did so before: what is new comes first.
    """
    position = {name: index for index, name in enumerate(before)}
    order: list[Json] = []
    rest = list(untouched)
    for name, item in merged.items():
        while rest and name in position and position[rest[0]] < position[name]:
            order.append(there[rest.pop(0)])
        order.append(item)
    return order + [there[name] for name in rest]
