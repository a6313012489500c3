"""`mlctl job compare`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import complete, terminal
from orchestrator.cli.options import ContextOption, open_client
from orchestrator.cli.render import note, write, writing
from orchestrator.cli.sheet import SheetOption, show_sheet
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.client import Client
    from orchestrator.jobs.compare import Comparison

STYLES = {"+++": "bold", "---": "bold", "+": "green", "-": "red", "@": "cyan"}  # of a diff's lines, by their beginning


def compare(
    versions: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME [V...]",
            help="A job, and which of its versions, as in NAME v1 v2; without any, all. Or NAME/v1 OTHER/v3.",
            autocompletion=complete.jobs,
        ),
    ],
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also what is the same.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what the code differs in, line by line.")] = False,
    plot: Annotated[
        str | None, typer.Option("--plot", metavar="METRIC", help="Draw the curves of a metric.", show_default=False)
    ] = None,
    output: SheetOption = None,
    context: ContextOption = None,
) -> None:
    """Compare versions: parameters, code, data, engine, metrics, time and cost.

    \b
    mlctl job compare mnist-mxnet v1 v2
    mlctl job compare mnist-mxnet --plot validation_accuracy
    """
    if sum((diff, plot is not None, output is not None)) > 1:
        raise UsageError("--diff, --plot and -o exclude each other", hint="give one of them")
    from orchestrator.cli.compare_view import document, records, sheet, together

    client = open_client(context)
    found = client.compare(versions)
    if diff:
        _show_diff(client, found)
        return
    if plot is not None:
        _show_curves(client, found, plot)
        return
    headings, rows = sheet(found, everything=everything)
    show_sheet(
        headings,
        rows,
        output,
        document=lambda: document(found, everything=everything),
        records=lambda: records(found, everything=everything),
    )
    if output is None:
        note(together(found))


def _show_diff(client: "Client", found: "Comparison") -> None:
    """Show how the code of each version differs from that of the first."""
    from orchestrator.jobs.code_diff import code_diffs

    same = True
    with writing():
        for line in code_diffs(client.store, [view.record for view in found.views]):
            same = False
            beginning = next((sign for sign in STYLES if line.startswith(sign)), "")
            text = terminal.clean(line.rstrip("\n")) if sys.stdout.isatty() else line.rstrip("\n")
            sys.stdout.write(terminal.paint(text, STYLES.get(beginning, ""), sys.stdout) + "\n")
    if same:
        note("the code is the same")


def _show_curves(client: "Client", found: "Comparison", metric: str) -> None:
    from orchestrator.cli.plot import draw
    from orchestrator.jobs.compare import curves

    lines = curves(client.jobs, found.views, metric)
    write(draw(metric, dict(zip(found.names(), lines, strict=True))))
