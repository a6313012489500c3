"""What is shown of a job version."""

import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from orchestrator.amounts import money
from orchestrator.cli.metrics_view import headline, lines, progress
from orchestrator.cli.render import ago, count, duration, moment, plain, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.jobs.record import CodeRef
    from orchestrator.jobs.view import JobView
    from orchestrator.runtime.output import Output


def columns(views: "Sequence[JobView]") -> dict[str, Any]:
    """Return the columns of a list of job versions; that of the cost only if one of them costs anything."""
    told = {"METRIC": lambda view: headline(view.status.metrics)} if any(view.status.metrics for view in views) else {}
    costs = {"COST": cost} if any(view.cost for view in views) else {}
    return {
        "NAME": lambda view: view.name,
        "VERSION": lambda view: view.version,
        "STATE": lambda view: view.status.state.value,
        "REASON": lambda view: view.status.reason.value if view.status.reason else "",
        "CREATED": lambda view: ago(view.record.created),
        "DURATION": lambda view: duration(view.duration) if view.duration else "",
        **costs,
        **told,
        "ENGINE": lambda view: view.record.engine.name if view.record.engine else "",
        "PARAMETERS": lambda view: parameters(view),
    }


def document(view: "JobView") -> dict[str, Any]:
    """Return a job version as plain data; the first keys are what programs mostly want."""
    return {
        "name": view.name,
        "version": view.version,
        "state": view.status.state.value,
        "duration": view.duration,
        "cost": None if view.cost is None else {"amount": view.cost, **plain(view.record.price)},
        "record": plain(view.record),
        "status": plain(view.status),
    }


def details(view: "JobView") -> dict[str, str]:
    """Return the lines that tell all about a job version, by label."""
    record, status = view.record, view.status
    code, data, engine, task = record.code, record.data, record.engine, record.task
    ended = f"{moment(status.finished)}, after {duration(view.duration)}" if status.finished else ""
    return {
        "Job": view.ref,
        "State": status.state.value,
        "Reason": status.reason.value if status.reason else "",
        "Message": status.message,
        "Details": "\n".join(status.details),
        "Hint": status.hint,
        "Created": f"{moment(record.created)} by {record.author}",
        "Started": moment(status.started),
        "Ended": ended,
        "Running for": duration(view.duration) if status.started and not status.finished else "",
        "Progress": progress(status.progress, finished=status.state.finished),
        "Metrics": lines(status.metrics),
        "Cost": _cost(view),
        "Engine": f"{engine.name} ({engine.framework} {engine.version})" if engine else "",
        "Code": _code(code) if code else "",
        "Data": f"{data.name} {data.version}: {count(data.files, 'file')}, {size(data.size)}" if data else "none",
        "Parameters": parameters(view),
        "Sweep": f"trial {record.sweep.trial} of {record.sweep.name}/{record.sweep.version}" if record.sweep else "",
        "Script ended": _end(view),
        "Peak memory": size(status.peak_memory) if status.peak_memory else "",
        "CPU time": duration(status.cpu_seconds) if status.cpu_seconds else "",
        "Log": size(status.log_bytes) if status.log_bytes else "",
        "Output": _output(view) if status.state.finished and status.output_files else "",
        "Where": place(task.output_store, task.output_prefix) if task and status.output_files else "",
        "Last lines": "\n".join(status.last_lines),
    }


def after(view: "JobView") -> list[str]:
    """Return the commands that probably come after a job has ended well."""
    model, _, version = view.status.model.partition("/")
    deploy = [f"mlctl deploy {model} --version {version}"] if model else []
    return [f"mlctl job outputs {view.name} -v {view.version}", *deploy]


def cost(view: "JobView") -> str:
    """Return what a job version has cost so far; nothing where that is not known."""
    price = view.record.price
    return "" if price is None or view.cost is None else money(view.cost, price.currency)


def _cost(view: "JobView") -> str:
    price = view.record.price
    if price is None or not price.per_hour:
        return ""
    so_far = "" if view.status.state.finished else " so far"
    return f"{cost(view)}{so_far}, at {money(price.per_hour, price.currency)} per hour"


def ending(view: "JobView") -> str:
    """Return one line about how a job version ended."""
    text = f"{view.ref} {view.status.state}"
    return f"{text} after {duration(view.duration)}" if view.duration else text


def parameters(view: "JobView") -> str:
    """Return the script's parameters in one line, as a shell takes them."""
    return " ".join(f"{key}={shlex.quote(str(value))}" for key, value in view.record.parameters.items())


def place(store: str, prefix: str) -> str:
    """Return where something is: a path for what is on this machine, else a URL."""
    url = f"{store}/{prefix}"
    return unquote(url.removeprefix("file://")) if url.startswith("file:///") else url


def output_summary(view: "JobView", output: "Output") -> str:
    """Return one line about what a job version has written."""
    amount = f"{count(output.manifest.files, 'file')}, {size(output.manifest.size)}"
    state = "" if output.complete else " (incomplete: the job did not end well)"
    return f"{view.ref}{state}: {amount} in {place(output.store, output.prefix)}"


def output_document(view: "JobView", output: "Output") -> dict[str, Any]:
    """Return what a job version has written as plain data."""
    return {
        "name": view.name,
        "version": view.version,
        "complete": output.complete,
        "place": place(output.store, output.prefix),
        "files": plain(output.manifest.entries),
    }


def _code(code: "CodeRef") -> str:
    files = sum(map(bool, code.files.values()))  # an empty folder has no hash
    text = f"{count(files, 'file')}, {size(code.size)}"
    if code.git_commit:
        text += f", commit {code.git_commit[:10]}" + (" with changes" if code.git_dirty else "")
    return text


def _end(view: "JobView") -> str:
    status = view.status
    return f"by {status.signal}" if status.signal else f"exit code {status.exit_code}" if status.exit_code else ""


def _output(view: "JobView") -> str:
    status = view.status
    text = f"{count(status.output_files, 'file')}, {size(status.output_bytes)}"
    return text if status.output_complete else f"{text}, incomplete"
