"""`mlctl job create`."""

import shlex
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import terminal
from orchestrator.cli.failure import INTERRUPTED
from orchestrator.cli.options import ContextOption, OutputOption, YesOption, open_client
from orchestrator.cli.render import (
    Format,
    count,
    detail_lines,
    encode,
    next_steps,
    note,
    show_objects,
    show_one,
    size,
    warn,
    write,
)
from orchestrator.errors import PreflightError, UsageError

if TYPE_CHECKING:
    from orchestrator.client import Client
    from orchestrator.jobs.plan import Plan
    from orchestrator.jobs.view import JobView


class Runtime(StrEnum):
    """What a spec's `runtime` may be."""

    environment = "environment"
    container = "container"


LARGE_CODE = 100_000_000  # bytes of code that are not sent without asking


def create(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The job's YAML file.", show_default=False)],
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the spec, as in resources.gpus=2. Repeatable."),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Change a parameter of the script. Repeatable."),
    ] = None,
    runtime: Annotated[
        Runtime | None,
        typer.Option(
            "--runtime", metavar="environment|container", help="Where it runs on this machine, whatever the spec says."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return when the job is submitted (the default).")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show the log until the job has ended; exit as it did.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait in silence until it has ended; exit as it did.")] = False,
    yes: YesOption = False,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Create a new version of a job and start it.

    Code, data and settings are checked first and kept with the version. The job goes on when the
    terminal is closed. On a cluster, --dry-run with -o yaml shows the objects that would be made.

    \b
    mlctl job create job_specs/mnist-mxnet.yaml --follow
    mlctl job create job_specs/mnist-mxnet.yaml -p num_epochs=2 --set max_duration=10m
    """
    if sum((detach, follow, wait, dry_run)) > 1:
        raise UsageError("--dry-run, --detach, --follow and --wait exclude each other", hint="give one of them")
    if follow and output:
        raise UsageError("--follow writes the log to stdout, -o a document", hint="use --wait with -o")
    from orchestrator.cli.plan_view import plan_details, plan_document
    from orchestrator.jobs.plan import require_possible

    assignments = [*(assignments or ()), *([f"runtime={runtime.value}"] if runtime else [])]
    client = open_client(context)
    plan = client.jobs.plan(spec, assignments=assignments, parameters=parameters or ())
    if dry_run and output in (Format.YAML, Format.JSON) and client.context.backend == "kubernetes":
        _show_manifests(client, plan, output)
        return
    if dry_run:
        show_one(plan, output, name=plan.name, details=plan_details, document=plan_document)
        _warn(plan)
        require_possible(plan)
        next_steps(_command(spec, assignments, parameters or ()))
        return
    require_possible(plan)
    note(detail_lines(plan_details(plan), sys.stderr).rstrip())
    _warn(plan)
    _ask(plan, yes=yes)
    try:
        view = client.jobs.create(plan)
    except KeyboardInterrupt:
        note("\ninterrupted; the same command goes on from here")
        raise typer.Exit(INTERRUPTED) from None
    if follow:
        _follow(client, view)
    elif wait:
        _wait(client, view, output)
    else:
        _result(view, output, f"job {view.ref} created")
        next_steps(f"mlctl logs -f {view.name} -v {view.version}", f"mlctl job get {view.name} -v {view.version}")


def _show_manifests(client: "Client", plan: "Plan", output: Format) -> None:
    """Show what `kubectl apply` takes as well: the record that the pods read is made by `job create` only."""
    show_objects(list(client.jobs.manifests(plan)), output)
    _warn(plan)


def _command(spec: Path, assignments: Iterable[str], parameters: Iterable[str]) -> str:
    """Return the command line that creates what a plan shows."""
    changes = [*(("--set", text) for text in assignments), *(("-p", text) for text in parameters)]
    return shlex.join(["mlctl", "job", "create", str(spec), *(word for change in changes for word in change)])


def _warn(plan: "Plan") -> None:
    for warning in plan.warnings:
        warn(warning)


def _ask(plan: "Plan", *, yes: bool) -> None:
    code = plan.code
    large = bool(code and code.size > LARGE_CODE)
    if yes or not (large or terminal.is_interactive()):
        return
    if not terminal.is_interactive():
        assert code
        raise PreflightError(
            f"the code folder holds {size(code.size)} in {count(code.files, 'file')}; is data among it?",
            hint=f"leave files out with a .mlctlignore in {plan.spec.code}, or send it all with --yes",
        )
    question = f"Send {size(code.size)} of code and create this version?" if code and large else "Create this version?"
    terminal.confirm(question)


def _follow(client: "Client", view: "JobView") -> None:
    from orchestrator.cli.follow import follow, job_goes_on, tell_end

    note(f"job {view.ref} created")
    with job_goes_on(view):
        tell_end(follow(client, view.name, view.version))


def _wait(client: "Client", view: "JobView", output: Format | None) -> None:
    from orchestrator.cli.follow import job_goes_on
    from orchestrator.cli.job_view import after, ending

    with job_goes_on(view):
        view = client.jobs.wait(view.name, view.version)
    _result(view, output, ending(view))
    view.raise_if_failed()
    next_steps(*after(view))


def _result(view: "JobView", output: Format | None, text: str) -> None:
    from orchestrator.cli.job_view import document

    if output is Format.NAME:
        write(f"{view.ref}\n")
    else:
        write(encode(document(view), output) if output else f"{text}\n")
