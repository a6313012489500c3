"""How a trial ended, told from its job version."""

import math

import msgspec

from orchestrator.jobs.metrics import unseen
from orchestrator.jobs.view import JobView
from orchestrator.metrics.kinds import Goal
from orchestrator.metrics.table import Point, Table, better
from orchestrator.runtime.status import State
from orchestrator.runtime.task import CancelRequest
from orchestrator.specs.sweep import Objective
from orchestrator.sweeps.record import Trial, TrialState


def concluded(
    trial: Trial, view: JobView, table: Table, told: CancelRequest, objective: Objective, goal: Goal
) -> Trial:
    """Return the trial as its version ended.

    Args:
        trial: As it was.
        view: Of the version, which has ended.
        table: What that has measured.
        told: How it was told to end, if it was.
        objective: Of the sweep.
        goal: Which values of it are better.
    """
    state, message = _judged(view, told)
    point = objective_of(table, objective, goal)
    if state is TrialState.SUCCEEDED and (point is None or not math.isfinite(point.value)):
        state, message = TrialState.FAILED, _missing(view.ref, table, objective, point)
    finite = point is not None and math.isfinite(point.value)
    return msgspec.structs.replace(
        trial,
        state=state,
        version=view.version,
        value=point.value if point and finite else None,
        step=point.step if point else 0,
        message=message,
        duration=round(view.duration, 3),
        cost=view.cost,
    )


def waiting(trial: Trial, view: JobView) -> Trial:
    """Return the trial with what its version waits for, if that is more than its turn.

    Args:
        trial: As it was.
        view: Of the version, which has not ended.
    """
    status = view.status
    message = f"{status.reason.value}: {status.message}" if status.state is State.PENDING and status.reason else ""
    return msgspec.structs.replace(trial, message=message)


def objective_of(table: Table, objective: Objective, goal: Goal) -> Point | None:
    """Return the measurement that counts, or None if there is none."""
    series = table.find(objective.metric)
    if series is None:
        return None
    if objective.value == "last":
        return series.last
    found = series.best if series.goal == goal else series.last
    for point in series.curve():
        if better(point.value, found.value, goal):
            found = point
    return found


def _judged(view: JobView, told: CancelRequest) -> tuple[TrialState, str]:
    status = view.status
    match status.state:
        case State.SUCCEEDED:
            return TrialState.SUCCEEDED, ""
        case State.CANCELLED if told.message:  # by the sweep
            return TrialState.PRUNED if told.pruned else TrialState.CANCELLED, told.message
    return TrialState.FAILED, ": ".join(filter(None, (status.reason and status.reason.value, status.message)))


def _missing(where: str, table: Table, objective: Objective, point: Point | None) -> str:
    if point is not None:
        return f"its {objective.metric} is {point.value} in the end"
    error = unseen(objective.metric, where, [table])
    return f"{error.message}; {error.hint}"
