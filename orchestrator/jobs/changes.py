"""What differs between a version of a job and the next."""

from typing import TYPE_CHECKING

import msgspec

from orchestrator.jobs.facts import HASH, NONE, Facts, data_of, facts, label
from orchestrator.jobs.record import JobRecord

if TYPE_CHECKING:
    from orchestrator.jobs.plan import Plan


class Change(msgspec.Struct, frozen=True):
    """One difference: what, and its value before and now."""

    what: str
    before: str
    now: str


def changes_between(previous: JobRecord, plan: "Plan") -> list[Change]:
    """Return how the plan differs from the version before; what it has a problem with is left out."""
    before_code, now_code = (previous.code, plan.code) if previous.code and plan.code else (None, None)
    before_engine, now_engine = (
        (previous.engine, plan.engine_ref()) if previous.engine and plan.engine else (None, None)
    )
    before = facts(
        parameters=previous.parameters,
        files=before_code.files if before_code else {},
        data=data_of(previous),
        engine=before_engine,
        spec=previous.spec,
    )
    now = facts(
        parameters=plan.spec.parameters,
        files=now_code.hashes() if now_code else {},
        data=_data_now(plan),
        engine=now_engine,
        spec=plan.spec_document(),
    )
    return [change for section in before for change in _section(section, before, now)]


def _section(section: str, before: Facts, now: Facts) -> list[Change]:
    old, new = before[section], now[section]
    if section == "engine" and old.get("engine") != new.get("engine"):  # which has another environment, of course
        old, new = {"engine": old["engine"]}, {"engine": new["engine"]}
    changes = []
    for name in dict.fromkeys([*old, *new]):
        one, other = old.get(name, NONE), new.get(name, NONE)
        if one == other:
            continue
        if section == "code":
            one, other = _file(one, "removed" if other == NONE else ""), _file(other, "added" if one == NONE else "")
        changes.append(Change(label(section, name), one, other))
    return changes


def _file(digest: str, fate: str) -> str:
    return NONE if digest == NONE else fate or digest[:HASH]


def _data_now(plan: "Plan") -> str:
    if plan.data is None:
        return NONE
    if plan.data.version:
        return f"{plan.data.name}@{plan.data.version.version}"
    return f"{plan.data.name} (to {plan.data.wanted})"
