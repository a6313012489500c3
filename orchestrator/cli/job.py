"""`mlctl job`: what can be done with training jobs."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import complete, terminal
from orchestrator.cli.compare import compare
from orchestrator.cli.create import create
from orchestrator.cli.events import events
from orchestrator.cli.export import export
from orchestrator.cli.group import group
from orchestrator.cli.logs import logs
from orchestrator.cli.metrics import metrics
from orchestrator.cli.options import (
    ContextOption,
    JobArgument,
    JobVersionOption,
    OutputOption,
    YesOption,
    checked,
    open_client,
    pick,
    split,
)
from orchestrator.cli.render import Format, count, encode, next_steps, note, show_list, show_one, size, write
from orchestrator.cli.shell import shell

app = group("Create training jobs, watch them, get what they made.")
app.command()(create)


@app.command("list")
def list_(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Only this job, in all its versions.",
            callback=checked("job"),
            autocompletion=complete.jobs,
            show_default=False,
        ),
    ] = None,
    all_versions: Annotated[bool, typer.Option("--all", "-a", help="All versions of all jobs.")] = False,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """List the jobs, each in its latest version; the newest first."""
    from orchestrator.cli.job_view import columns, document

    views = open_client(context).jobs.list(name, all_versions=all_versions)
    show_list(
        views,
        output,
        name=lambda view: view.ref,
        columns=columns(views),
        empty="no jobs yet; the first one: mlctl job create SPEC",
        document=document,
    )


@app.command()
def get(
    name: JobArgument, version: JobVersionOption = None, output: OutputOption = None, context: ContextOption = None
) -> None:
    """Show all about a job version: its state, why, what it was made of."""
    from orchestrator.cli.job_view import details, document

    view = open_client(context).jobs.get(*pick(name, version))
    show_one(view, output, name=view.ref, details=details, document=document)


app.command("logs")(logs)
app.command()(metrics)
app.command()(compare)
app.command()(export)
app.command()(events)
app.command()(shell)


@app.command()
def wait(
    name: JobArgument,
    version: JobVersionOption = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="Give up after 10m, 1h30m, ...", show_default=False)
    ] = None,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Wait until a job version has ended; exit 0, 100 (failed), 101 (timeout) or 103 (cancelled)."""
    from orchestrator.cli.follow import job_goes_on
    from orchestrator.cli.job_view import after, details, document, ending
    from orchestrator.specs.quantities import parse_duration

    seconds = None if timeout is None else parse_duration(timeout)
    client = open_client(context)
    view = client.jobs.get(*pick(name, version))
    with job_goes_on(view):
        view = client.jobs.wait(view.name, view.version, timeout=seconds)
    if output:
        show_one(view, output, name=view.ref, details=details, document=document)
    else:
        write(f"{ending(view)}\n")
    view.raise_if_failed()
    next_steps(*after(view))


@app.command()
def cancel(name: JobArgument, version: JobVersionOption = None, context: ContextOption = None) -> None:
    """Stop a job version; what it wrote so far is kept."""
    from orchestrator.cli.job_view import ending

    view = open_client(context).jobs.cancel(*pick(name, version))
    write(f"{ending(view)}\n")
    next_steps(f"mlctl job get {view.name} -v {view.version}")


@app.command()
def delete(
    name: JobArgument,
    version: JobVersionOption = None,
    yes: YesOption = False,
    context: ContextOption = None,
) -> None:
    """Delete a job version, or with NAME alone all versions: records, logs and output. Numbers stay taken."""
    client = open_client(context)
    job, chosen = split(name, version)
    what = f"{job}/{chosen}" if chosen else f"all versions of {job}"
    terminal.confirm_deletion(f"{what}, with logs and output", yes=yes)
    deleted = client.jobs.delete(job, chosen)
    write("".join(f"{job}/{number} deleted\n" for number in deleted))
    if not deleted:
        note(f"there was nothing left of {job}")


@app.command()
def outputs(
    name: JobArgument,
    version: JobVersionOption = None,
    pull: Annotated[
        Path | None, typer.Option("--pull", metavar="DIR", help="Download all of it into this folder, verified.")
    ] = None,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Show what a job version has written, or download it."""
    from orchestrator.cli.job_view import output_document, output_summary

    client = open_client(context)
    view = client.jobs.get(*pick(name, version))
    made = client.jobs.outputs(view.name, view.version)
    if pull:
        client.jobs.pull_outputs(view.name, view.version, pull)
        write(f"{view.ref}: {count(made.manifest.files, 'file')}, {size(made.manifest.size)} in {pull}\n")
        return
    if output in (Format.JSON, Format.YAML):
        write(encode(output_document(view, made), output))
        return
    show_list(
        made.manifest.entries,
        output,
        name=lambda entry: entry.path,
        columns={
            "PATH": lambda entry: entry.path + "/" * (entry.kind == "folder"),
            "SIZE": lambda entry: "" if entry.kind == "folder" else size(entry.size),
        },
        empty=f"{view.ref} wrote nothing",
    )
    if not made.manifest.entries:
        return
    note(output_summary(view, made))
    next_steps(f"mlctl job outputs {view.name} -v {view.version} --pull DIR")
