"""The published JSON schemas of Kubernetes, strict: no unknown field passes."""

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry, Resource

OLDEST, NEWEST = "1.29", "1.37"
VERSIONS = (OLDEST, NEWEST)


def problems(obj: dict[str, Any], version: str) -> list[str]:
    """Return what is wrong with an object in the eyes of a version's schema."""
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", obj["apiVersion"])
    found = _validator(version, f"{obj['kind'].lower()}-{group}.json").iter_errors(obj)
    return [f"{'.'.join(map(str, error.path))}: {error.message[:500]}" for error in found]


def part_problems(part: dict[str, Any], name: str, version: str) -> list[str]:
    """Return what is wrong with a part, such as `podspec-v1`."""
    return [error.message[:500] for error in _validator(version, f"{name}.json").iter_errors(part)]


@cache
def merge_keys(version: str = NEWEST) -> dict[str, dict[str, str]]:
    """Return, by definition, the lists that are merged and the field that tells their items apart."""
    definitions = _read(version, "_definitions.json")["$defs"]
    return {
        name.rpartition(".")[2]: {
            field: about["x-kubernetes-patch-merge-key"]
            for field, about in definition.get("properties", {}).items()
            if "x-kubernetes-patch-merge-key" in about
        }
        for name, definition in definitions.items()
    }


@cache
def _validator(version: str, file: str) -> jsonschema.Draft202012Validator:
    registry: Registry = Registry()
    schema = _read(version, file)
    for contents in (schema, _read(version, "_definitions.json")):
        registry = Resource.from_contents(contents) @ registry
    return jsonschema.Draft202012Validator(schema, registry=registry)


def _read(version: str, file: str) -> Any:
    package = find_spec("kubernetes_validate")
    assert package and package.origin
    folder = Path(package.origin).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    return json.loads((folder / file).read_text())
