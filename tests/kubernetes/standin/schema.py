"""The published JSON schemas of Kubernetes: which fields there are, of which type, and how lists are merged."""

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from tests.kubernetes.standin import quantity
from tests.kubernetes.standin.resources import Object, Resource
from tests.kubernetes.standin.status import Cause

NEWEST = "1.36"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_GO = {"string": "string", "boolean": "bool", "integer": "int", "number": "float64", "object": "map", "array": "slice"}


@lru_cache(maxsize=4)
def _definitions(version: str) -> dict[str, Object]:
    package = find_spec("kubernetes_validate")  # found, not imported: that takes 0.3 s
    assert package and package.origin
    path = Path(package.origin).parent / f"kubernetes-json-schema/v{version}.0-local/_definitions.json"
    loaded: dict[str, dict[str, Object]] = msgspec.json.decode(path.read_bytes())
    return loaded["$defs"]


class Found(msgspec.Struct):
    """What a look at an object found.

    Attributes:
        unknown: Paths of fields that do not exist.
        undecodable: Why it cannot even be read; empty if it can.
        missing: Required fields that it lacks.
    """

    unknown: list[str] = msgspec.field(default_factory=list)
    undecodable: str = ""
    missing: list[Cause] = msgspec.field(default_factory=list)


class Schemas:
    """The schemas of one version of Kubernetes, such as 1.36."""

    def __init__(self, version: str = NEWEST) -> None:
        self.version = version

    def check(self, resource: Resource, obj: Object) -> Found:
        """Compare an object with the schema of its kind; a custom resource has none and is not looked at."""
        found = Found()
        if resource.schema:
            self._walk(obj, {"$ref": f"#/$defs/{resource.schema}"}, "", found, resource.kind)
        return found

    def fields(self, definition: str) -> Object:
        """Give the fields of a definition; none if there is no such definition."""
        fields: Object = _definitions(self.version).get(definition, {}).get("properties", {})
        return fields

    def of_path(self, definition: str, field: str) -> tuple[str, Object]:
        """Say what stands in a field.

        Returns:
            The definition of the field's (or of its items') objects, empty if they have none, and the field's schema.
        """
        schema = self.fields(definition).get(field, {})
        inner = schema.get("items", schema)
        return str(inner.get("$ref", "")).removeprefix("#/$defs/"), schema

    def _walk(self, value: Any, schema: Object, path: str, found: Found, owner: str) -> None:
        if value is None or found.undecodable:
            return
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/$defs/")
            short = name.rpartition(".")[2]
            if short in {"Quantity", "IntOrString", "Time", "MicroTime"}:
                found.undecodable = _scalar(value, short)
                return
            schema, owner = _definitions(self.version)[name], short
        kinds = schema.get("type")
        kind = kinds[0] if isinstance(kinds, list) else kinds
        if kind and not _is(value, kind):
            wanted = schema.get("format", _GO[kind])
            where = f"{owner}.{path.lstrip('.')}"
            found.undecodable = f"json: cannot unmarshal {_named(value)} into Go struct field {where} of type {wanted}"
        elif kind == "array":
            for index, item in enumerate(value):
                self._walk(item, schema.get("items", {}), f"{path}[{index}]", found, owner)
        elif isinstance(value, dict) and "properties" in schema:
            self._object(value, schema, path, found, owner)
        elif isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
            for key, item in value.items():
                self._walk(item, schema["additionalProperties"], f"{path}.{key}", found, owner)

    def _object(self, value: Object, schema: Object, path: str, found: Found, owner: str) -> None:
        known = schema["properties"]
        for key, item in value.items():
            if key not in known:
                found.unknown.append(f"{path}.{key}".lstrip("."))
            elif path or key != "status":
                self._walk(item, known[key], f"{path}.{key}", found, owner)
        for key in schema.get("required", ()):
            if value.get(key) is None:
                found.missing.append(Cause("FieldValueRequired", "Required value", f"{path}.{key}".lstrip(".")))


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)


def _named(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "string", list: "array", dict: "object"}[type(value)]


def _scalar(value: Any, kind: str) -> str:
    if kind == "Quantity":
        try:
            quantity.parse(value)
        except ValueError as error:
            return str(error)
    elif kind == "IntOrString":
        if not isinstance(value, (int, str)):
            return f"json: cannot unmarshal {_named(value)} into Go value of type intstr.IntOrString"
    elif not isinstance(value, str) or not _TIME.fullmatch(value):
        return f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}" as "2006"'
    return ""
