"""`mlctl job metrics`."""

from enum import StrEnum
from typing import Annotated

import typer

from orchestrator.cli.options import ContextOption, JobArgument, JobVersionOption, open_client, pick
from orchestrator.cli.render import Format, encode, note, write
from orchestrator.cli.sheet import csv_text


class Rows(StrEnum):
    """What `-o` takes."""

    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


def metrics(
    name: JobArgument,
    wanted: Annotated[
        list[str] | None,
        typer.Argument(metavar="[METRIC...]", help="Only these.", show_default=False),
    ] = None,
    version: JobVersionOption = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw them.")] = False,
    worker: Annotated[
        int, typer.Option("--worker", metavar="N", help="Of a job with several nodes, what this one uses.", min=0)
    ] = 0,
    output: Annotated[
        Rows | None,
        typer.Option(
            "--output", "-o", metavar="json|yaml|csv", help="Write this instead of a table; with csv every point."
        ),
    ] = None,
    context: ContextOption = None,
) -> None:
    """Show what a job's script has measured, and what it uses; as it grows, and of old.

    \b
    mlctl job metrics mnist-mxnet -v v1
    mlctl job metrics mnist-mxnet validation_accuracy -v v1 --plot
    """
    from orchestrator.cli.metrics_view import curves, document, points, show_table
    from orchestrator.cli.plot import draw
    from orchestrator.jobs.metrics import pick_metrics

    jobs = open_client(context).jobs
    view = jobs.get(*pick(name, version))
    table = jobs.metrics(view.name, view.version, worker=worker)
    shown = table.named() if not wanted else pick_metrics(view.ref, table, wanted)
    if output is Rows.CSV:
        write(csv_text(*points(shown)))
    elif output:
        write(encode(document(view, table, shown), Format(output.value)))
    elif plot:
        for title, lines in curves(shown, asked=bool(wanted)):
            write(draw(title, lines))
    elif shown:
        show_table(shown)
    for text in table.notes if output is None else ():
        note(text)
    if not shown and output is None:
        note(_nothing(view.ref, finished=view.status.state.finished))


def _nothing(ref: str, *, finished: bool) -> str:
    so_far = "measured nothing" if finished else "has measured nothing yet"
    return (
        f"{ref} {so_far}: mlctl reads the log as the engine writes it, `metrics:` of the spec, event files and "
        f"metrics.jsonl in train_url, and calls of mlctl.log (docs/metrics.md)"
    )
