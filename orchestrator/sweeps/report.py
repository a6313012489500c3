"""A page about a sweep: one file, which needs no network and nothing beside it."""

import time
from pathlib import Path

import msgspec

from orchestrator.files import write_whole
from orchestrator.store.parallel import as_mlctl_error
from orchestrator.sweeps.view import SweepView

_TEMPLATE = Path(__file__).with_name("report.html")
_MARK = "/*DATA*/"


def report(view: SweepView) -> str:
    """Return the page as HTML."""
    record, spec, price = view.record, view.record.parsed(), view.record.template.price
    data = {
        "ref": record.ref,
        "state": view.status.state,
        "message": view.status.message,
        "job": view.job,
        "created": time.strftime("%Y-%m-%d %H:%M", time.localtime(record.created)),
        "metric": spec.objective.metric,
        "goal": record.goal,
        "currency": price.currency if price else "",
        "parameters": [{"name": name, "log": one.log} for name, one in spec.space.items()],
        "trials": [msgspec.structs.asdict(trial) for trial in view.trials],
    }
    # Nothing in it may end the element that it stands in.
    text = msgspec.json.encode(data).decode().replace("<", "\\u003c")
    return _TEMPLATE.read_text(encoding="utf-8").replace(_MARK, text)


def write_report(view: SweepView, path: Path) -> None:
    """Write the page to a file. Raises MlctlError."""
    try:
        write_whole(path, report(view).encode())
    except OSError as error:
        raise as_mlctl_error(error, f"cannot write {path}") from error
