"""`mlctl sweep`: the same job with many parameters, in search of the best."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import complete, terminal
from orchestrator.cli.follow import goes_on
from orchestrator.cli.group import group
from orchestrator.cli.options import LATEST, ContextOption, OutputOption, YesOption, checked, open_client, split
from orchestrator.cli.render import (
    Format,
    detail_lines,
    encode,
    next_steps,
    note,
    show_list,
    show_one,
    table,
    warn,
    write,
)
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.client import Client
    from orchestrator.sweeps.plan import SweepPlan
    from orchestrator.sweeps.view import SweepView

app = group("Try a job with many parameters and find the best.")

SweepArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The sweep, as NAME or NAME/V0003.",
        callback=checked("sweep"),
        autocompletion=complete.sweeps,
    ),
]
DetachOption = Annotated[bool, typer.Option("--detach", "-d", help="Return when the sweep has begun.")]


@app.command()
def create(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The sweep's YAML file.", show_default=False)],
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the spec, as in budget.trials=5. Repeatable."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
    detach: DetachOption = False,
    yes: YesOption = False,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Begin a sweep and watch it; a process of its own goes on when the terminal is closed.

    Each trial is a version of the job. A sweep that was stopped or interrupted goes on where it was.

    \b
    mlctl sweep create job_specs/sweep-mnist-tensorflow.yaml
    mlctl sweep create job_specs/sweep-mnist-tensorflow.yaml --dry-run --set budget.parallel=4
    """
    from orchestrator.cli.sweep_view import plan_details

    client = open_client(context)
    plan = client.sweeps.plan(spec, assignments=assignments or ())
    if dry_run:
        show_one(plan, output, name=plan.spec.name, details=_everything, document=_plan_document)
        _warn(plan)
        plan.require_possible()
        return
    plan.require_possible()
    note(detail_lines(plan_details(plan), sys.stderr).rstrip())
    _warn(plan)
    if not yes and terminal.is_interactive():
        terminal.confirm("Begin this sweep?")
    _begun(client, client.sweeps.create(plan), "begun", detach=detach, output=output)


@app.command("list")
def list_(output: OutputOption = None, context: ContextOption = None) -> None:
    """List the sweeps, each in its latest version; the newest first."""
    from orchestrator.cli.sweep_view import columns, document

    show_list(
        open_client(context).sweeps.list(),
        output,
        name=lambda view: view.record.ref,
        columns=columns(),
        empty="no sweeps yet; the first one: mlctl sweep create SPEC",
        document=document,
    )


@app.command()
def get(name: SweepArgument, output: OutputOption = None, context: ContextOption = None) -> None:
    """Show a sweep with its trials; a star is at the best."""
    _show(open_client(context).sweeps.get(*_pick(name)), output)


@app.command()
def stop(name: SweepArgument, output: OutputOption = None, context: ContextOption = None) -> None:
    """End a sweep with the trials that run; `resume` goes on with it."""
    from orchestrator.sweeps.record import SweepState

    view = open_client(context).sweeps.stop(*_pick(name))
    _show(view, output)
    if view.status.state is not SweepState.SUCCEEDED:
        next_steps(f"mlctl sweep resume {view.record.name}")


@app.command()
def resume(
    name: SweepArgument, detach: DetachOption = False, output: OutputOption = None, context: ContextOption = None
) -> None:
    """Go on with a sweep that was stopped or interrupted, here or elsewhere, and watch it."""
    client = open_client(context)
    _begun(client, client.sweeps.resume(*_pick(name)), "goes on", detach=detach, output=output)


@app.command()
def best(
    name: SweepArgument,
    deploy: Annotated[
        bool, typer.Option("--deploy", help="Have a service answer with the model of that trial.")
    ] = False,
    service: Annotated[
        str | None, typer.Option("--service", metavar="NAME", help="Its name; by default that of the model.")
    ] = None,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Show the best trial so far, and deploy its model with --deploy."""
    from orchestrator.cli.job_view import details, document
    from orchestrator.cli.sweep_view import told

    if service and not deploy:
        raise UsageError("--service names what is deployed", hint="add --deploy")
    client = open_client(context)
    view = client.sweeps.get(*_pick(name))
    trial = view.require_best()
    if not deploy:
        job = client.jobs.get(view.job, trial.version)
        show_one(job, output, name=job.ref, details=details, document=document)
        next_steps(f"mlctl sweep best {name} --deploy")
        return
    from orchestrator.cli.service_view import show

    note(told(view, trial))
    found, token = client.services.deploy(client.model_of(view.job, trial.version), name=service)
    show(found, output)
    if output is None:
        if token:
            note(f"token: {token} (shown once; this machine's mlctl keeps it)")
        next_steps(f"mlctl predict {found.record.name} FILE")


@app.command()
def report(
    name: SweepArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to; by default NAME.html.", show_default=False)
    ] = None,
    context: ContextOption = None,
) -> None:
    """Write a page about a sweep, one file without network: its table, its course, and all parameters at once."""
    from orchestrator.sweeps.report import write_report

    view = open_client(context).sweeps.get(*_pick(name))
    path = out or Path(f"{view.record.name}.html")
    write_report(view, path)
    write(f"{path}\n")


@app.command()
def delete(
    name: SweepArgument,
    trials: Annotated[
        bool,
        typer.Option("--trials", help="Also the versions of the job that it made, with logs and output."),
    ] = False,
    yes: YesOption = False,
    context: ContextOption = None,
) -> None:
    """Delete a version of a sweep, or with NAME alone all versions. Numbers stay taken.

    Its trials stay, as versions of the job. With --trials they go, too, but for those that models are made of.
    """
    client = open_client(context)
    sweep, chosen = split(name, None)
    what = f"{sweep}/{chosen}" if chosen else f"all versions of {sweep}"
    more = ", with their trials' versions, logs and output" if trials else ""
    terminal.confirm_deletion(what + more, yes=yes)
    done = client.sweeps.delete(sweep, chosen, trials=trials)
    write("".join(f"{what} deleted\n" for what in [*done.trials, *(f"sweep {ref}" for ref in done.sweeps)]))
    for ref, models in done.kept.items():
        note(f"{ref} stays: of its output is made {', '.join(f'model {one}' for one in models)}")
    if not trials:
        note(f"its trials stay, as versions of {', '.join(done.jobs)}")


def _pick(name: str) -> tuple[str, str]:
    name, version = split(name, None)
    return name, version or LATEST


def _begun(client: "Client", view: "SweepView", what: str, *, detach: bool, output: OutputOption) -> None:
    ref = view.record.ref
    if detach:
        write(
            f"{ref}\n"
            if output is Format.NAME
            else encode(_document(view), output)
            if output
            else f"sweep {ref} {what}\n"
        )
        next_steps(f"mlctl sweep get {view.record.name}", f"mlctl sweep stop {view.record.name}")
        return
    note(f"sweep {ref} {what}")
    name = view.record.name
    with goes_on(f"sweep {name}", f"mlctl sweep get {name}", f"mlctl sweep stop {name}"):
        view = _watch(client, view)
    _show(view, output)
    view.raise_if_failed()
    next_steps(f"mlctl sweep best {view.record.name} --deploy", f"mlctl sweep report {view.record.name}")


def _watch(client: "Client", view: "SweepView") -> "SweepView":
    """Tell of each trial that ends, until the sweep has ended."""
    from orchestrator.cli.sweep_view import ended, told

    seen = {trial.number for trial in ended(view)}  # those are in the table at the end
    for now in client.sweeps.watch(view.record.name, view.record.version):
        for trial in ended(now):
            if trial.number not in seen:
                note(f"{trial.state.value:<9} {told(now, trial)}")
        seen |= {trial.number for trial in ended(now)}
        view = now
    return view


def _show(view: "SweepView", output: OutputOption) -> None:
    from orchestrator.cli.sweep_view import details, trial_columns

    show_one(view, output, name=view.record.ref, details=details, document=_document)
    if output is None and view.trials:
        write("\n")
        columns = trial_columns(view)
        table(list(columns), [[cell(trial) for cell in columns.values()] for trial in view.trials])


def _warn(plan: "SweepPlan") -> None:
    for warning in plan.job.warnings:
        warn(warning)


def _document(view: "SweepView") -> dict[str, object]:
    from orchestrator.cli.sweep_view import document

    return document(view)


def _everything(plan: "SweepPlan") -> dict[str, str]:
    from orchestrator.cli.plan_view import plan_details as job_details
    from orchestrator.cli.sweep_view import plan_details

    job, own = job_details(plan.job), plan_details(plan)
    return {**own, **{label: job[label] for label in ("Code", "Data", "Engine", "Resources")}, "Cost": own["Cost"]}


def _plan_document(plan: "SweepPlan") -> dict[str, object]:
    from orchestrator.cli.plan_view import plan_document

    return {
        "name": plan.spec.name,
        "spec": plan.spec_document(),
        "trials": plan.spec.trials,
        "goal": plan.goal,
        "at_most": plan.at_most,
        "job": plan_document(plan.job),
    }
