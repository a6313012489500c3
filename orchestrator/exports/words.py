"""What a job version is in MLflow's words: pure functions.

Limits and names as in https://mlflow.org/docs/latest/ml/tracking/ and `mlflow.utils.validation`.
"""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from orchestrator.amounts import money
from orchestrator.jobs.facts import data_of
from orchestrator.jobs.view import JobView
from orchestrator.metrics.table import Table
from orchestrator.runtime.status import State

VERSION = "mlctl.version"  # the tag that a run is found by
STORE = "mlctl.store"
EXPORTED = "mlctl.exported"  # the tag that is set last: what was exported is all there
LONGEST_VALUE = 6000  # characters of a parameter
LONGEST_TAG = 5000  # characters
SYSTEM = "system/"  # what MLflow has its own system metrics begin with
LARGEST = 1.7976931348623157e308  # what databases of MLflow have for infinity

_NOT_ALLOWED = re.compile(r"[^\w\-. :/]", re.ASCII)
_STATES = {
    State.RUNNING: "RUNNING",
    State.RECOVERING: "RUNNING",
    State.SUCCEEDED: "FINISHED",
    State.FAILED: "FAILED",
    State.CANCELLED: "KILLED",
}


class Measured(NamedTuple):
    """One value of a metric.

    Attributes:
        name: As MLflow takes it.
        value: May be nan or infinite.
        time: Milliseconds since the epoch.
        step: Of the script.
    """

    name: str
    value: float
    time: int
    step: int

    def same(self) -> "Measured":
        """Return it so that it equals itself, and what a database has made of it."""
        if math.isnan(self.value):
            return self._replace(value=math.inf, name=f"{self.name} nan")
        return self._replace(value=max(-LARGEST, min(self.value, LARGEST)))


def state_of(view: JobView) -> str:
    """Return the state of a run."""
    return _STATES.get(view.status.state, "SCHEDULED")


def milliseconds(seconds: float) -> int:
    """Return a moment as MLflow counts."""
    return round(seconds * 1000)


def parameters_of(view: JobView) -> dict[str, str]:
    """Return the parameters of the script."""
    return {name: str(value)[:LONGEST_VALUE] for name, value in view.record.parameters.items()}


def tags_of(view: JobView, store: str) -> dict[str, str]:
    """Return where a run comes from: that of MLflow's own names first.

    Args:
        view: The version.
        store: URL of its store.
    """
    record, status = view.record, view.status
    code, engine = record.code, record.engine
    tags = {
        "mlflow.user": record.author,
        "mlflow.source.name": str(record.spec.get("boot_file") or ""),
        "mlflow.source.type": "JOB",
        "mlflow.source.git.commit": code.git_commit if code else "",
        "mlflow.note.content": str(record.spec.get("description") or ""),
        VERSION: view.ref,
        STORE: store,
        "mlctl.state": status.state.value,
        "mlctl.reason": status.reason.value if status.reason else "",
        "mlctl.message": status.message,
        "mlctl.data": data_of(record) if record.data else "",
        "mlctl.data_sha256": record.data.sha256 if record.data else "",
        "mlctl.code_sha256": code.sha256 if code else "",
        "mlctl.engine": engine.name if engine else "",
        "mlctl.environment": engine.environment if engine else "",
        "mlctl.backend": record.backend,
        "mlctl.cost": money(view.cost, record.price.currency) if record.price and view.cost is not None else "",
    }
    return {name: value[:LONGEST_TAG] for name, value in tags.items() if value}


def metrics_of(table: Table) -> list[Measured]:
    """Return all that was measured, under names that MLflow takes."""
    names = metric_names({name: each.source == "system" for name, each in table.named().items()})
    return [
        Measured(names[name], point.value, milliseconds(point.time), point.step)
        for name, each in table.named().items()
        for point in each.curve()
    ]


def metric_names(system: Mapping[str, bool]) -> dict[str, str]:
    """Return MLflow's names of metrics: what it does not allow in them is replaced, and no two become one.

    Args:
        system: Whether each is of the machine, by its name.
    """
    names: dict[str, str] = {}
    for name, own in system.items():
        parts = [part for part in _NOT_ALLOWED.sub("_", name).split("/") if part.strip(". ")]
        plain = (SYSTEM if own else "") + ("/".join(parts) or "_")
        taken, number = set(names.values()), 1
        while (new := plain if number == 1 else f"{plain}_{number}") in taken:
            number += 1
        names[name] = new
    return names
