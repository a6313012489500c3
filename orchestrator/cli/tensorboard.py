"""`mlctl tensorboard`."""

import os
import sys
import webbrowser
from typing import Annotated

import typer

from orchestrator.cli import complete, terminal
from orchestrator.cli.options import ContextOption, LastJobArgument, open_client, pick
from orchestrator.cli.render import note, write
from orchestrator.errors import UsageError

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")  # without one, Linux would open a browser in the terminal

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command()
def tensorboard(
    name: LastJobArgument = None,
    versions: Annotated[
        str | None,
        typer.Option(
            "--version",
            "-v",
            metavar="V,V",
            help="Versions, as in v1,v3; by default the latest.",
            autocompletion=complete.job_versions,
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="N",
            help="Port of this machine; 0 is any. By default 6006, or any if that is taken.",
            min=0,
            max=65535,
        ),
    ] = None,
    stop_after: Annotated[
        str, typer.Option("--stop-after", metavar="TIME", help="End by itself after 30m, 2h, ...")
    ] = "2h",
    in_cluster: Annotated[
        bool, typer.Option("--in-cluster", help="Run it as a pod of the context's cluster; here is its page alone.")
    ] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it, on a terminal.")] = True,
    context: ContextOption = None,
) -> None:
    """Show the curves of a job's versions, as they grow.

    What the script writes into train_url for TensorBoard is shown while it runs, and as long as the version
    exists. Ctrl-C ends it.
    """
    from orchestrator.specs.quantities import parse_duration

    seconds = parse_duration(stop_after)
    client = open_client(context)
    if name is None:
        name, latest = client.jobs.last()
        versions = versions or latest
    chosen = (versions or "").split(",")
    if not all(chosen) and versions:
        raise UsageError(f"--version {versions} leaves a version out", hint="as in --version v1,v3")
    pairs = [pick(name, one or None) for one in chosen]
    name, shown = pairs[0][0], [version for _, version in pairs]
    try:
        with (
            client.cluster_tensorboard(name, shown, port=port, seconds=seconds)
            if in_cluster
            else client.tensorboard(name, shown, port=port)
        ) as board:
            write(f"{board.url}\n")
            sys.stdout.flush()
            note(f"TensorBoard ends after {stop_after}, or with Ctrl-C")
            if browser and terminal.is_interactive() and (sys.platform == "darwin" or os.environ.keys() & DISPLAYS):
                webbrowser.open(board.url)
            board.serve(seconds)
            note(f"ended after {stop_after}")
    except KeyboardInterrupt:
        note("\nended")
