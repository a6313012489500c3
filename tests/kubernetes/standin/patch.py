"""The four ways to patch an object: merge, strategic merge, JSON patch and (simple) server-side apply."""

import copy
from typing import Any

from tests.kubernetes.standin.resources import Object
from tests.kubernetes.standin.schema import Schemas
from tests.kubernetes.standin.status import ApiError, bad_request

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


def merge(target: Any, patch: Any) -> Any:
    """Merge as RFC 7396 says: null deletes, lists are replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def strategic(schemas: Schemas, definition: str, target: Object, patch: Object, *, apply: bool = False) -> Object:
    """Merge lists by the keys that the schema names.

    Args:
        schemas: Of the cluster's version.
        definition: Of the object; without one, lists are replaced.
        target: The object; is not changed.
        patch: What to change. `$patch: delete|replace` and `$retainKeys` are understood.
        apply: Merge as server-side apply does: by the list's map keys, and what has no such key is replaced.
    """
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    merged = dict(target)
    if retained := patch.get("$retainKeys"):
        merged = {key: value for key, value in merged.items() if key in retained}
    for key, value in patch.items():
        if key in {"$patch", "$retainKeys"} or key.startswith("$setElementOrder/"):
            continue
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            merged[name] = [item for item in merged.get(name) or [] if item not in value]
            continue
        inner, schema = schemas.of_path(definition, key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = strategic(schemas, inner, merged.get(key) or {}, value, apply=apply)
        elif isinstance(value, list) and (keys := _merge_keys(schema, apply)) is not None:
            merged[key] = _lists(schemas, inner, merged.get(key) or [], value, keys, apply)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _merge_keys(schema: Object, apply: bool) -> list[str] | None:
    """Say by which keys the items of a list are told apart: none for plain values, None if it is replaced."""
    if apply:
        kind = schema.get("x-kubernetes-list-type")
        return schema["x-kubernetes-list-map-keys"] if kind == "map" else [] if kind == "set" else None
    if "merge" not in schema.get("x-kubernetes-patch-strategy", ""):
        return None
    return [schema["x-kubernetes-patch-merge-key"]] if "x-kubernetes-patch-merge-key" in schema else []


def _lists(
    schemas: Schemas, inner: str, target: list[Any], patch: list[Any], keys: list[str], apply: bool
) -> list[Any]:
    merged = list(target)
    if not keys:
        return merged + [item for item in patch if item not in merged]
    for item in patch:
        name = [item.get(key) for key in keys]
        at = next((at for at, has in enumerate(merged) if [has.get(key) for key in keys] == name), None)
        if item.get("$patch") == "delete":
            merged = [has for has in merged if [has.get(key) for key in keys] != name]
        elif at is None:
            merged.append(copy.deepcopy(item))
        else:
            merged[at] = strategic(schemas, inner, merged[at], item, apply=apply)
    return merged


def without_dropped(schemas: Schemas, definition: str, target: Object, was: Object, now: Object) -> Object:
    """Take out what a manager's apply before has set and its new one lacks; nobody else is taken to own it.

    Args:
        schemas: Of the cluster's version.
        definition: Of the object.
        target: The object; is not changed.
        was: What was applied before.
        now: What is applied.
    """
    kept = dict(target)
    for key, value in was.items():
        if key not in now:
            kept.pop(key, None)
            continue
        inner, schema = schemas.of_path(definition, key)
        if isinstance(value, dict) and isinstance(kept.get(key), dict):
            kept[key] = without_dropped(schemas, inner, kept[key], value, now[key] or {})
        elif isinstance(value, list) and (keys := _merge_keys(schema, True)) and key in kept:
            kept[key] = _items_without_dropped(schemas, inner, kept[key], value, now[key] or [], keys)
    return kept


def _items_without_dropped(
    schemas: Schemas, inner: str, target: list[Any], was: list[Any], now: list[Any], keys: list[str]
) -> list[Any]:
    def named(items: list[Any]) -> dict[tuple[Any, ...], Any]:
        return {tuple(item.get(key) for key in keys): item for item in items}

    before, after, kept = named(was), named(now), []
    for name, item in named(target).items():
        if name in before and name in after:
            kept.append(without_dropped(schemas, inner, item, before[name], after[name]))
        elif name not in before:
            kept.append(item)
    return kept


def json_patch(target: Object, steps: list[Object]) -> Object:
    """Do the steps of RFC 6902, except move and copy.

    Raises:
        ApiError: 422, a step does not fit; 400, a step is of an unknown kind.
    """
    patched = copy.deepcopy(target)
    for step in steps:
        *path, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        try:
            place: Any = patched
            for part in path:
                place = place[int(part)] if isinstance(place, list) else place[part]
            at: Any = (len(place) if last == "-" else int(last)) if isinstance(place, list) else last
            match step["op"]:
                case "add" if isinstance(place, list):
                    place.insert(at, step["value"])
                case "add":
                    place[at] = step["value"]
                case "replace":
                    place[at], _ = step["value"], place[at]
                case "remove":
                    del place[at]
                case "test" if place[at] != step["value"]:
                    raise KeyError(last)
                case "test":
                    pass
                case _:
                    raise bad_request(f"json: unknown operation {step['op']}")
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise ApiError(
                422, "Invalid", f"the server rejected our request due to an error in our request: {step['path']}"
            ) from error
    return patched
