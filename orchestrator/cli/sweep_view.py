"""What is shown of a sweep."""

import math
import shlex
from typing import TYPE_CHECKING, Any

from orchestrator.amounts import money
from orchestrator.cli.render import ago, count, duration, moment, plain

if TYPE_CHECKING:
    from orchestrator.specs.dimension import Dimension
    from orchestrator.sweeps.plan import SweepPlan
    from orchestrator.sweeps.record import Trial
    from orchestrator.sweeps.view import SweepView

SHOWN = 6  # values of a parameter


def columns() -> dict[str, Any]:
    """Return the columns of a list of sweeps."""
    return {
        "NAME": lambda view: view.record.name,
        "VERSION": lambda view: view.record.version,
        "STATE": lambda view: view.status.state.value,
        "TRIALS": lambda view: f"{done(view)} of {view.total}",
        "BEST": lambda view: number(view.best.value) if view.best else "",
        "OBJECTIVE": lambda view: objective(view),
        "JOB": lambda view: view.job,
        "CREATED": lambda view: ago(view.record.created),
    }


def document(view: "SweepView") -> dict[str, Any]:
    """Return a sweep as plain data."""
    return {
        "name": view.record.name,
        "version": view.record.version,
        "state": view.status.state.value,
        "message": view.status.message,
        "job": view.job,
        "goal": view.record.goal,
        "best": plain(view.best) if view.best else None,
        "cost": view.cost,
        "trials": plain(view.trials),
        "spec": plain(view.record.spec),
    }


def details(view: "SweepView") -> dict[str, str]:
    """Return the lines that tell about a sweep, by label."""
    record, status, spec = view.record, view.status, view.record.parsed()
    price = record.template.price
    ended = f"{moment(status.finished)}, after {duration(status.elapsed)}" if status.finished else ""
    return {
        "Sweep": record.ref,
        "State": status.state.value,
        "Message": status.message,
        "Job": view.job,
        "Objective": objective(view),
        "Algorithm": algorithm(spec.algorithm, spec.method),
        "Trials": counts(view),
        "Cost": money(view.cost, price.currency) if price and view.cost else "",
        "Created": f"{moment(record.created)} by {record.author}",
        "Ended": ended,
        "Best": told(view, view.best) if view.best else "",
    }


def plan_details(plan: "SweepPlan") -> dict[str, str]:
    """Return the lines that tell what a sweep is going to be, by label."""
    spec = plan.spec
    guessed = " (guessed from its name; if that is wrong, say it by `goal:`)" if plan.guessed else ""
    space = [f"{name}: {_values(one)}" for name, one in spec.space.items()]
    return {
        "Sweep": f"{spec.name}, {count(spec.trials, 'trial')} of job {plan.job.name}, {spec.budget.parallel} at a time",
        "Objective": f"{plan.goal} {spec.objective.metric}{guessed}",
        "Algorithm": algorithm(spec.algorithm, spec.method),
        "Parameters": "\n".join(space),
        "Ends": _ends(plan),
        "Early end": f"of trials that are behind, by {spec.stopping.method}" if spec.stopping else "",
        "Cost": _cost(plan),
    }


def _ends(plan: "SweepPlan") -> str:
    """Return what ends the sweep."""
    budget, price = plan.spec.budget, plan.price
    limits = [duration(budget.max_seconds)] if budget.max_seconds else []
    limits += [money(budget.max_cost, price.currency) if price else f"{budget.max_cost:g}"] if budget.max_cost else []
    limits += [f"{count(budget.failures, 'failed trial')} in a row"]
    return f"with its trials, or after {' or '.join(limits)}"


def _cost(plan: "SweepPlan") -> str:
    price = plan.price
    if price is None or plan.at_most is None:
        return ""
    if not price.per_hour:
        return "nothing"
    each = f"a trial at {money(price.per_hour, price.currency)} per hour"
    return f"at most {money(plan.at_most, price.currency)}, {each}"


def trial_columns(view: "SweepView") -> dict[str, Any]:
    """Return the columns of a table of trials; the best one has a star."""
    best, spec = view.best, view.record.parsed()
    price = view.record.template.price
    parameters = {name: _parameter(name) for name in spec.parameters}
    return {
        "TRIAL": lambda trial: f"{trial.number}{'*' if best and trial.number == best.number else ''}",
        "VERSION": lambda trial: trial.version,
        "STATE": lambda trial: trial.state.value,
        **parameters,
        spec.objective.metric: lambda trial: "" if trial.value is None else number(trial.value),
        "DURATION": lambda trial: duration(trial.duration) if trial.duration else "",
        **(
            {"COST": lambda trial: "" if trial.cost is None else money(trial.cost, price.currency)}
            if price and price.per_hour
            else {}
        ),
        "MESSAGE": lambda trial: trial.message,
    }


def told(view: "SweepView", trial: "Trial") -> str:
    """Return a trial in one line."""
    metric = view.record.parsed().objective.metric
    said = f"{metric} {number(trial.value)}" if trial.value is not None else trial.message
    version = f" ({view.job}/{trial.version})" if trial.version else ""
    return f"trial {trial.number}{version}: {said}, with {parameters(trial)}"


def parameters(trial: "Trial") -> str:
    """Return a trial's parameters in one line, as a shell takes them."""
    return " ".join(f"{name}={shlex.quote(_written(value))}" for name, value in trial.parameters.items())


def objective(view: "SweepView") -> str:
    """Return what the sweep is after, as in `maximize accuracy`."""
    return f"{view.record.goal} {view.record.parsed().objective.metric}"


def algorithm(name: str, method: str) -> str:
    """Return how trials are chosen, in ModelArts' name and ours."""
    return name if name == method else f"{method} (for {name})"


def done(view: "SweepView") -> int:
    """Return how many trials have ended."""
    from orchestrator.sweeps.record import TrialState

    return len(view.trials) - view.count(TrialState.RUNNING) - view.count(TrialState.CANCELLED)


def counts(view: "SweepView") -> str:
    """Return how many trials there are, by state."""
    from orchestrator.sweeps.record import TrialState

    states = [(view.count(state), state.value.lower()) for state in TrialState]
    return f"{done(view)} of {view.total}: " + (", ".join(f"{n} {word}" for n, word in states if n) or "none yet")


def number(value: float) -> str:
    """Return a number for people, with six digits that count."""
    return f"{value:.6g}" if math.isfinite(value) else str(value)


def ended(view: "SweepView") -> list["Trial"]:
    """Return the trials that have ended."""
    from orchestrator.sweeps.record import TrialState

    return [trial for trial in view.trials if trial.state is not TrialState.RUNNING]


def _parameter(name: str) -> Any:
    return lambda trial: _written(trial.parameters.get(name, ""))


def _written(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _values(one: "Dimension") -> str:
    if (listed := one.choice) is not None:
        more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        return ", ".join(map(_written, listed[:SHOWN])) + more
    low, high = one.bounds
    step = f", in steps of {one.step:g}" if one.step else ""
    return f"{low} to {high}{step}{', by orders of magnitude' if one.log else ''}"
