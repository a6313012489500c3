"""`mlctl cost`."""

import time
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import ContextOption, open_client
from orchestrator.cli.render import DAY, count, duration, note, plain, warn
from orchestrator.cli.sheet import SheetOption, show_sheet
from orchestrator.errors import MlctlError

if TYPE_CHECKING:
    from orchestrator.client import Client
    from orchestrator.jobs.spending import Report, Row

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


class By(StrEnum):
    """What `--by` takes."""

    JOB = "job"
    ENGINE = "engine"
    DAY = "day"


@app.command()
def cost(
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Only the last 30d, 12h, ...; by default all.", show_default=False
        ),
    ] = None,
    by: Annotated[By, typer.Option("--by", metavar="job|engine|day", help="What each line is.")] = By.JOB,
    output: SheetOption = None,
    context: ContextOption = None,
) -> None:
    """Show what jobs and services have cost.

    Those count that go on, and those that were deleted. Prices: docs/cost.md.
    """
    from orchestrator.specs.quantities import parse_duration

    begin = 0.0 if since is None else time.time() - parse_duration(since)
    client = open_client(context)
    report = client.costs(by=by.value, since=begin)
    rows = [*report.rows, report.total]
    headings = [by.value.upper(), "RUNS", "TIME", "COST"]
    shown = [[row.name, str(row.runs), duration(row.seconds), money_of(row)] for row in rows]
    if not output and not report.rows:
        note("nothing has run" + (f" for {since}" if since else " yet"))
    else:
        show_sheet(headings, shown, output, document=lambda: plain(report), records=lambda: _records(report))
    if unknown := report.total.unknown:
        note(f"{count(unknown, 'run')} with no known price: give sizes prices in prices.yaml (docs/cost.md)")
    _warn(client)


def _warn(client: "Client") -> None:
    """Say what runs, and nobody seems to use."""
    from orchestrator.cli.service_view import warn_of_unused
    from orchestrator.tensorboard import open_boards

    with suppress(MlctlError):  # the report is there, also while the cluster cannot be asked
        warn_of_unused(client.services.list())
    for opened in open_boards():
        if time.time() - opened > DAY:
            warn(f"a TensorBoard is open on this machine for {duration(time.time() - opened)}: Ctrl-C ends it")


def money_of(row: "Row") -> str:
    """Return the sums of all currencies."""
    from orchestrator.amounts import money

    some = any(row.cost.values())  # then what cost nothing, as jobs of this machine, need not be said
    sums = [money(amount, currency) for currency, amount in sorted(row.cost.items()) if amount or not some]
    return " + ".join(sums) + (" and more" if row.unknown and sums else "unknown" if row.unknown else "")


def _records(report: "Report") -> tuple[list[str], list[list[Any]]]:
    """Return a line for each row and currency."""
    lines: list[list[Any]] = []
    for row in report.rows:
        sums: list[tuple[str, float | str]] = [*sorted(row.cost.items())] or [("", "")]
        lines += [[row.name, row.runs, round(row.seconds, 3), sum_, currency, row.unknown] for currency, sum_ in sums]
    return [report.by, "runs", "seconds", "cost", "currency", "runs_without_price"], lines
