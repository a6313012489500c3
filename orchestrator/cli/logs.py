"""`mlctl logs`, which is also `mlctl job logs`."""

from enum import StrEnum
from typing import Annotated

import typer

from orchestrator.cli.options import ContextOption, JobVersionOption, LastJobArgument, open_client, pick

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


class _Source(StrEnum):
    main = "main"
    fetch = "fetch"
    sync = "sync"


@app.command()
def logs(
    name: LastJobArgument = None,
    version: JobVersionOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", "-n", metavar="N", help="Only the last N lines.", min=0)] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only what came in the last 10m, 1h30m, ...")
    ] = None,
    grep: Annotated[
        str | None, typer.Option("--grep", metavar="RE", help="Only lines that match a regular expression.")
    ] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Put the time before each line (UTC).")] = False,
    source: Annotated[
        _Source,
        typer.Option(
            "--source", metavar="main|fetch|sync", help="The script, or what mlctl says before and beside it."
        ),
    ] = _Source.main,
    worker: Annotated[
        int | None, typer.Option("--worker", metavar="N", help="Of a job with several nodes, only this one.", min=0)
    ] = None,
    context: ContextOption = None,
) -> None:
    """Show a job's log, live or of old.

    It is whole and stays: what the script wrote, byte for byte, also after the job was killed. Of a job with several
    nodes each line begins with its worker.
    """
    from orchestrator.cli.follow import await_start, job_goes_on, show_log, teller
    from orchestrator.cli.job_view import ending
    from orchestrator.cli.render import note
    from orchestrator.specs.quantities import parse_duration

    seconds = None if since is None else parse_duration(since)
    client = open_client(context)
    if name is None:
        name, latest = client.jobs.last()
        version = version or latest
    view = client.jobs.get(*pick(name, version))
    blocks = client.jobs.logs(
        view.name,
        view.version,
        follow=follow,
        tail=tail,
        since=seconds,
        grep=grep,
        timestamps=timestamps,
        source=source.value,
        worker=worker,
    )
    scripts = source is _Source.main
    if not follow or view.status.state.finished:
        if not show_log(blocks) and (view.status.log_bytes == 0 or not scripts):
            what = "has written no log" if scripts else f"there is no log of its {source} in the store, nor in reach"
            note(f"{view.ref} is {view.status.state} and {what}")
        return
    with job_goes_on(view):
        if scripts:
            await_start(client, view.name, view.version)
        show_log(blocks, tell=teller(client, view.name, view.version))
        note(ending(client.jobs.wait(view.name, view.version)))
