"""What is shown of a service."""

from typing import TYPE_CHECKING, Any

from orchestrator.cli.options import OutputOption
from orchestrator.cli.render import DAY, ago, duration, moment, plain, show_one, warn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.services.record import Change
    from orchestrator.services.state import Calls, ServiceView
    from orchestrator.services.trial.trial import Trial

SHOWN = 10  # changes of the history, or wrong answers


def columns() -> dict[str, Any]:
    """Return the columns of a list of services."""
    return {
        "NAME": lambda view: view.record.name,
        "STATE": lambda view: view.state.value,
        "VERSIONS": lambda view: ", ".join(share.text for share in view.record.shares),
        "URL": lambda view: view.url,
        "CREATED": lambda view: ago(view.record.created),
        "PROBLEM": lambda view: view.problem,
    }


def document(view: "ServiceView") -> dict[str, Any]:
    """Return a service as plain data."""
    return {
        "name": view.record.name,
        "state": view.state.value,
        "url": view.url,
        "problem": view.problem,
        "restarts": view.restarts,
        "unused": view.unused,
        "replicas": view.replicas,
        "calls": plain(view.calls),
        "record": plain(view.record),
    }


def details(view: "ServiceView") -> dict[str, str]:
    """Return the lines that tell all about a service, by label."""
    record = view.record
    return {
        "Service": record.name,
        "State": view.state.value,
        "Problem": view.problem,
        "URL": view.url,
        "gRPC": view.grpc,
        "Versions": "\n".join(f"{share.text}, {share.engine}" for share in record.shares),
        "Replicas": replicas(view),
        "Restarts": str(view.restarts or ""),
        "Requests": "\n".join(map(_called, view.calls)),
        "Unused for": duration(view.unused) if view.unused > DAY else "",
        "Created": moment(record.created),
        "On": record.host,
        "History": "\n".join(told(change) for change in record.history[-SHOWN:]),
    }


def _called(calls: "Calls") -> str:
    asked = f"{calls.model}/v{calls.number} {calls.invocations}, {calls.failures} failed"
    return f"{asked}; {calls.per_minute} in the last minute"


def replicas(view: "ServiceView") -> str:
    """Return how many pods of a service answer on a cluster, and how many should; nothing on this machine."""
    shape = view.record.shape
    if view.record.backend == "local":
        return ""
    if shape.max_replicas:
        return f"{view.replicas} (from {shape.replicas} to {shape.max_replicas})"
    return str(shape.replicas) if view.replicas == shape.replicas else f"{view.replicas} of {shape.replicas}"


def told(change: "Change") -> str:
    """Return what was changed, in words."""
    shares = ", ".join(share.text for share in change.shares)
    return f"{moment(change.time)}  {change.what}  {shares}  by {change.author}"


def warn_of_unused(views: "Iterable[ServiceView]") -> None:
    """Say which services run, and were not asked for a day."""
    for view in views:
        if view.unused > DAY:
            name = view.record.name
            past = " (TensorFlow Serving's own ports do not count)" * (view.record.shape.server == "tfserving")
            warn(f"nobody has used service {name} for {duration(view.unused)}{past}: mlctl service stop {name}")


def show(view: "ServiceView", output: OutputOption) -> None:
    """Write all about a service."""
    show_one(view, output, name=view.record.name, details=details, document=document)
    warn_of_unused([view])


def trial_details(trial: "Trial") -> dict[str, str]:
    """Return what a trial tells people."""
    wrong = [f"{one.name}: {one.said}, not {one.label}" for one in trial.wrong[:SHOWN]]
    more = len(trial.wrong) - SHOWN
    return {
        "Data": trial.data,
        "Right": f"{trial.right} of {trial.asked} ({trial.right / trial.asked:.1%})",
        "Time": f"{trial.median * 1000:.0f} ms in the middle, {trial.p99 * 1000:.0f} ms for 99 of 100",
        "Prepared": trial.changed.words,
        "Rate": f"{trial.rate:.0f} answers per second",
        "Wrong": "\n".join([*wrong, *([f"and {more} more"] if more > 0 else [])]),
    }
