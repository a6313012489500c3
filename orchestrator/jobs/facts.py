"""What a version is made of, in words, so that versions can be told apart."""

from collections.abc import Mapping
from typing import Any

from orchestrator.jobs.record import EngineRef, JobRecord

NONE = "-"  # shown for what is not there
HASH = 8  # characters that are shown of a file's hash
_SPEC = ("resources", "env", "max_duration", "max_cost", "boot_file", "data_mode", "output", "model")
_LABELS = {"parameters": "parameters.", "code": "code: ", "kubernetes": "kubernetes."}

Facts = dict[str, dict[str, str]]  # by section, then by name


def facts(
    *,
    parameters: Mapping[str, Any],
    files: Mapping[str, str],
    data: str,
    engine: EngineRef | None,
    spec: Mapping[str, Any],
) -> Facts:
    """Return what a version is made of.

    Args:
        parameters: Of the script.
        files: Hash of each file of the code.
        data: What it reads, as in `mnist@V0001`.
        engine: What it runs in.
        spec: Its spec, as plain data.
    """
    return {
        "parameters": {name: str(value) for name, value in parameters.items()},
        "code": {path: files[path] for path in sorted(files)},
        "data": {"data": data},
        "engine": {"engine": engine.name, "environment": engine.environment} if engine else {},
        "spec": {key: _plain(spec.get(key)) for key in _SPEC},
        "kubernetes": {name: _plain(value) for name, value in (spec.get("kubernetes") or {}).items()},
    }


def facts_of(record: JobRecord) -> Facts:
    """Return what a recorded version is made of."""
    files = record.code.files if record.code else {}
    return facts(
        parameters=record.parameters,
        files=files,
        data=data_of(record),
        engine=record.engine,
        spec=record.spec,
    )


def data_of(record: JobRecord) -> str:
    """Return the dataset version that it reads."""
    return f"{record.data.name}@{record.data.version}" if record.data else NONE


def label(section: str, name: str) -> str:
    """Return what people call a fact."""
    return _LABELS.get(section, "") + name


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items() if item is not None) or NONE
    return NONE if value in (None, "", []) else str(value)
