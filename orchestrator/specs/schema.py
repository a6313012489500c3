"""The JSON Schemas of jobs and sweeps, for editors and other tools (docs/job.schema.json, docs/sweep.schema.json)."""

from typing import Any

import msgspec

from orchestrator.specs.job import JobSpec
from orchestrator.specs.kubernetes_parts import SOURCES
from orchestrator.specs.sweep import SweepSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"


def job_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a job spec.

    It refuses what the loader refuses, apart from what takes arithmetic or this machine: amounts of
    memory and durations below or beyond what is possible, unknown flavors, and text with `${NAME}`.
    """
    definitions = _definitions(JobSpec)
    return {"$schema": DIALECT, **definitions.pop("JobSpec"), "title": "Job of mlctl", "$defs": definitions}


def sweep_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a sweep spec.

    It refuses what the loader refuses, apart from what takes arithmetic, and what `job_schema` leaves to the loader.
    """
    definitions = _definitions(SweepSpec)
    definitions["Dimension"]["oneOf"] = [_given(kind) for kind in ("choice", "int", "float")]
    return {"$schema": DIALECT, **definitions.pop("SweepSpec"), "title": "Sweep of mlctl", "$defs": definitions}


def _definitions(root: type[msgspec.Struct]) -> dict[str, Any]:
    _, definitions = msgspec.json.schema_components([root], ref_template="#/$defs/{name}")
    for definition in definitions.values():
        definition["description"] = definition["description"].partition("\n")[0]
        fields, required = definition["properties"], definition["required"]
        for name, field in fields.items():
            _allow_references(field)
            fields[name] = field if name in required else _optional(field)
    definitions["Resources"]["allOf"] = [
        {
            "if": _given("flavor"),
            "then": {"properties": {"cpus": _empty(), "memory": _empty(), "gpus": _empty(0), "gpu_type": _empty()}},
        },
        {"if": _given("gpu_type"), "then": _given("gpus", minimum=1)},
    ]
    definitions["Volume"]["oneOf"] = [_given(source) for source in SOURCES]
    definitions["Toleration"]["allOf"] = [
        {
            "if": {"properties": {"key": _empty()}},
            "then": {"properties": {"operator": {"enum": ["Exists", None]}, "value": _empty("")}},
        },
        {"if": _given("operator", const="Exists"), "then": {"properties": {"value": _empty("")}}},
        {"if": _given("toleration_seconds"), "then": _given("effect", const="NoExecute")},
    ]
    return definitions


def _allow_references(field: dict[str, Any]) -> None:
    """Let text hold `${NAME}` where only its value has to match a pattern."""
    for choice in (field, *field.get("anyOf", ())):
        if "pattern" in choice:
            choice["pattern"] = f"{choice['pattern']}|{_REFERENCE}"
        for inner in (choice.get("items"), choice.get("additionalProperties")):
            if isinstance(inner, dict):
                _allow_references(inner)


def _optional(field: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a key that may be left empty, which is as good as leaving it out."""
    default = field.pop("default", None)
    choices = [choice for choice in field.pop("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        field |= choices.pop()
    if choices:
        field["anyOf"] = [*choices, {"type": "null"}]
    elif "type" in field:
        field["type"] = [field["type"], "null"]
    elif "enum" in field:
        field["enum"] = [*(choice for choice in field["enum"] if choice is not None), None]
    else:
        field["anyOf"] = [{"$ref": field.pop("$ref")}, {"type": "null"}]
    return field if default is None or isinstance(default, dict | list) else {**field, "default": default}


def _given(name: str, **limits: int | str) -> dict[str, Any]:
    """Return the schema of mappings where a key has a value."""
    return {"properties": {name: {"not": {"type": "null"}, **limits}}, "required": [name]}


def _empty(*values: int | str) -> dict[str, Any]:
    """Return the schema of what has no value, or one that is as good as none."""
    return {"enum": [None, *values]}
