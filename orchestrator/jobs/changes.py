"""What differs between two versions of a job."""

from typing import TYPE_CHECKING, Any

import msgspec

from orchestrator.jobs.record import JobRecord

if TYPE_CHECKING:
    from orchestrator.jobs.plan import Plan

NONE = "-"  # shown for what is not there


class Change(msgspec.Struct, frozen=True):
    """One difference: what, and its value before and now."""

    what: str
    before: str
    now: str


def changes_between(previous: JobRecord, plan: "Plan") -> list[Change]:
    """Return how the plan differs from the version before: parameters, code, data, engine, resources."""
    changes = _mapping("parameters.", previous.parameters, dict(plan.spec.parameters))
    if previous.code and plan.code:
        now = {entry.path: entry.sha256 or entry.target for entry in plan.code.manifest.entries}
        changes += _files(previous.code.files, now)
    changes += _mapping("", {"data": _data_before(previous)}, {"data": _data_now(plan)})
    if previous.engine and plan.engine:
        before, now_engine = previous.engine, plan.engine_ref()
        changes += _mapping("", {"engine": before.name}, {"engine": now_engine.name})
        if before.name == now_engine.name and before.environment != now_engine.environment:
            changes.append(Change("engine", before.environment, now_engine.environment))
    kept = ("resources", "env", "max_duration", "max_cost", "boot_file", "data_mode", "output", "model")
    old, new = previous.spec, plan.spec_document()
    for key in kept:
        changes += _mapping("", {key: _plain(old.get(key))}, {key: _plain(new.get(key))})
    return changes + _mapping("kubernetes.", old.get("kubernetes") or {}, new["kubernetes"])


def _mapping(prefix: str, before: dict[str, Any], now: dict[str, Any]) -> list[Change]:
    keys = [*before, *(key for key in now if key not in before)]
    return [
        Change(prefix + key, str(before.get(key, NONE)), str(now.get(key, NONE)))
        for key in keys
        if before.get(key, NONE) != now.get(key, NONE)
    ]


def _files(before: dict[str, str], now: dict[str, str]) -> list[Change]:
    changes = [Change(f"code: {path}", NONE, "added") for path in sorted(now.keys() - before.keys())]
    changes += [Change(f"code: {path}", "removed", NONE) for path in sorted(before.keys() - now.keys())]
    both = before.keys() & now.keys()
    return changes + [
        Change(f"code: {path}", before[path][:8], now[path][:8]) for path in sorted(both) if before[path] != now[path]
    ]


def _data_before(record: JobRecord) -> str:
    return f"{record.data.name}@{record.data.version}" if record.data else NONE


def _data_now(plan: "Plan") -> str:
    if plan.data is None:
        return NONE
    if plan.data.version:
        return f"{plan.data.name}@{plan.data.version.version}"
    return f"{plan.data.name} (to {plan.data.wanted})"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items() if item is not None) or NONE
    return NONE if value in (None, "") else str(value)
