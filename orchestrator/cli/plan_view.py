"""What `job create` is going to do, for people (compact lines) and for programs."""

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from orchestrator.amounts import money
from orchestrator.cli.render import count, plain, size
from orchestrator.jobs.changes import Change
from orchestrator.jobs.facts import NONE
from orchestrator.specs.quantities import format_duration, format_memory

if TYPE_CHECKING:
    from orchestrator.jobs.budget import Budget
    from orchestrator.jobs.plan import DataPlan, Plan
    from orchestrator.specs.flavors import Flavor
    from orchestrator.store.archive import CodeSnapshot
    from orchestrator.store.scan import Skipped

SHOWN = 4  # of a long list


def plan_details(plan: "Plan") -> dict[str, str]:
    """Return the lines of the plan by label."""
    since = f"Since {plan.previous.version}" if plan.previous else "Since"
    return {
        "Job": f"{plan.name}, a new version",
        "Code": _code(plan.code) if plan.code else "",
        "Left out": _some(_skipped(plan.code.skipped)) if plan.code else "",
        "Data": _data(plan.data) if plan.data else "none",
        "Engine": _engine(plan),
        "Packages": f"those of {plan.requirements.path.name} are added" if plan.requirements else "",
        "Resources": _resources(plan.sizes, plan.spec.resources.nodes, plan.spec.max_duration) if plan.sizes else "",
        "Cost": _cost(plan.budget) if plan.budget else "",
        "Arguments": shlex.join(plan.arguments),
        since: _some([_change(change) for change in plan.changes]) or "nothing has changed" if plan.previous else "",
    }


def plan_document(plan: "Plan") -> dict[str, Any]:
    """Return the plan as plain data."""
    code = plan.code
    return {
        "name": plan.name,
        "spec": plan.spec_document(),
        "code": code and {"sha256": code.sha256, "files": code.files, "size": code.size, "git_commit": code.git_commit},
        "data": plan.data and {"name": plan.data.name, "version": plan.data.version, "first": plan.data.wanted},
        "engine": plan.engine and plan.engine.name,
        "engine_ready": plan.engine_ready,
        "requirements": plan.requirements and plan.requirements.path.name,
        "cost": _cost_document(plan.budget) if plan.budget else None,
        "arguments": plan.arguments,
        "previous": plan.previous and plan.previous.version,
        "changes": plain(plan.changes),
        "warnings": plan.warnings,
        "problems": [error.message for error in plan.problems],
    }


def _code(code: "CodeSnapshot") -> str:
    text = f"{count(code.files, 'file')}, {size(code.size)}"
    if code.git_commit:
        text += f", commit {code.git_commit[:10]}" + (" with changes" if code.git_dirty else "")
    if code.files > 1 and code.largest:
        text += f"; largest: {code.largest[0].path} ({size(code.largest[0].size)})"
    return text


def _change(change: "Change") -> str:
    if change.before == NONE:
        return f"+ {change.what}: {change.now}"
    if change.now == NONE:
        return f"- {change.what}: {change.before}"
    return f"~ {change.what}: {change.before} -> {change.now}"


def _skipped(skipped: "Iterable[Skipped]") -> list[str]:
    return [f"{entry.path} ({entry.reason})" for entry in skipped if entry.reason != "always ignored"]


def _data(data: "DataPlan") -> str:
    if data.version:
        return f"{data.name} {data.version.version}: {count(data.version.files, 'file')}, {size(data.version.size)}"
    if data.wanted == "import":
        return f"{data.name}: to be imported first, once"
    assert data.scan
    return f"{data.folder}: {count(len(data.scan.files), 'file')}, {size(data.scan.size)}"


def _engine(plan: "Plan") -> str:
    if plan.engine is None:
        return ""
    if plan.spec.runtime == "container":
        return f"{plan.engine.name}, in {plan.environment}" + ("" if plan.engine_ready else ", which is pulled first")
    return plan.engine.name if plan.engine_ready else f"{plan.engine.name}: its environment is built first, once"


def _resources(sizes: "Flavor", nodes: int, limit: str | int) -> str:
    memory = format_memory(sizes.memory) if isinstance(sizes.memory, int) else sizes.memory
    text = f"{sizes.cpus:g} CPU{'s' if sizes.cpus != 1 else ''}, {memory}"
    text += f", {sizes.gpus} x {sizes.gpu_type or 'GPU'}" if sizes.gpus else ""
    text = f"{sizes.name} ({text})" if sizes.name else text
    text += f" on {nodes} nodes" if nodes > 1 else ""
    return f"{text}, at most {limit}" + ("s" if isinstance(limit, int) else "")


def _cost(budget: "Budget") -> str:
    price = budget.price
    if price is None or budget.at_most is None:
        return ""
    if not price.per_hour:
        return "nothing"
    text = f"at most {money(budget.at_most, price.currency)}, at {money(price.per_hour, price.currency)} per hour"
    return f"{text}; max_cost pays for {format_duration(budget.seconds)}" if budget.limit else text


def _cost_document(budget: "Budget") -> dict[str, Any] | None:
    if budget.price is None:
        return None
    return {"at_most": budget.at_most, "seconds": budget.seconds, **plain(budget.price)}


def _some(lines: list[str]) -> str:
    rest = len(lines) - SHOWN
    return "\n".join([*lines[:SHOWN], *([f"and {rest} more"] if rest > 0 else [])])
