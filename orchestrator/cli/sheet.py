"""Tables that go into other programs: CSV, Markdown, JSON."""

import csv
import io
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from orchestrator.cli.render import Format, encode, table, write


class Sheet(StrEnum):
    """What `-o` takes where the result is a table."""

    JSON = "json"
    YAML = "yaml"
    CSV = "csv"
    MARKDOWN = "markdown"


SheetOption = Annotated[
    Sheet | None,
    typer.Option("--output", "-o", metavar="json|yaml|csv|markdown", help="Write this instead of a table."),
]


def show_sheet(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    output: Sheet | None,
    *,
    document: Callable[[], Any],
    records: Callable[[], tuple[Sequence[str], Sequence[Sequence[Any]]]],
) -> None:
    """Write a table.

    Args:
        headings: For people.
        rows: For people.
        output: As asked for; None is the table for the terminal.
        document: Returns what `-o json` shows.
        records: Returns headings and lines of the CSV, with plain numbers.
    """
    if output is None:
        table(headings, rows)
    elif output is Sheet.MARKDOWN:
        write(markdown(headings, rows))
    elif output is Sheet.CSV:
        write(csv_text(*records()))
    else:
        write(encode(document(), Format(output.value)))


def csv_text(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return CSV as spreadsheets read it (RFC 4180), but with plain line feeds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([headings, *rows])
    return text.getvalue()


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of GitHub's Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
