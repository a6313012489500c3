"""Label and field selectors."""

import re
from collections.abc import Callable
from typing import TypeAlias

from tests.kubernetes.standin.resources import Object
from tests.kubernetes.standin.status import bad_request

Match: TypeAlias = Callable[[Object], bool]

_SPLIT = re.compile(r",(?![^()]*\))")
_SET = re.compile(r"\s*(\S+)\s+(in|notin)\s*\(([^()]*)\)\s*")
_EQUAL = re.compile(r"\s*([^\s=!]+)\s*(!=|==|=)\s*([^\s=!]*)\s*")
_EXISTS = re.compile(r"\s*(!?)\s*([^\s=!(),]+)\s*")
FIELDS = {
    "Pod": {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase"},
    "Event": {
        *(f"involvedObject.{part}" for part in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
        "reason",
        "type",
        "source",
        "reportingComponent",
    },
    "Job": {"status.successful"},
    "Node": {"spec.unschedulable"},
    "Namespace": {"status.phase"},
    "Secret": {"type"},
}
"""Which fields a kind can be selected by, besides its name and namespace."""


def labels(text: str) -> Match:
    """Read a label selector such as `app=x,tier in (a, b),!old`."""
    wanted = [_requirement(part) for part in _SPLIT.split(text) if part.strip()] if text else []
    return lambda obj: all(fits(obj["metadata"].get("labels") or {}) for fits in wanted)


def _requirement(part: str) -> Callable[[dict[str, str]], bool]:
    if found := _SET.fullmatch(part):
        key, values = found[1], {value.strip() for value in found[3].split(",")}
        inside = found[2] == "in"
        return lambda has: (
            (has[key] in values) if inside and key in has else (not inside and has.get(key) not in values)
        )
    if found := _EQUAL.fullmatch(part):
        key, value = found[1], found[3]
        return (lambda has: has.get(key) != value) if found[2] == "!=" else (lambda has: has.get(key) == value)
    if found := _EXISTS.fullmatch(part):
        key, absent = found[2], bool(found[1])
        return lambda has: (key in has) != absent
    raise bad_request(f"unable to parse requirement: found '{part}', expected: ',' or 'end of string'")


def fields(text: str, kind: str) -> Match:
    """Read a field selector such as `status.phase!=Running,metadata.name=x`."""
    wanted: list[tuple[list[str], bool, str]] = []
    for part in filter(None, text.split(",")):
        found = _EQUAL.fullmatch(part)
        if not found:
            raise bad_request(f'invalid selector: "{text}"; can\'t understand "{part}"')
        name = found[1]
        if name not in {"metadata.name", "metadata.namespace"} | FIELDS.get(kind, set()):
            raise bad_request(f'Unable to find "{kind}" that match field selector: field label not supported: {name}')
        wanted.append((name.split("."), found[2] != "!=", found[3]))
    return lambda obj: all((_field(obj, path) == value) == equal for path, equal, value in wanted)


def _field(obj: Object, path: list[str]) -> str:
    if path == ["status", "successful"]:
        path = ["status", "succeeded"]
    if path == ["source"]:
        path = ["source", "component"]
    value: object = obj
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def of_labels(selector: Object | None) -> Match:
    """Read a `LabelSelector` object."""
    selector = selector or {}
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for term in selector.get("matchExpressions") or []:
        key, values = term["key"], ",".join(term.get("values") or [])
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[term["operator"]]
        )
    return labels(",".join(parts))
