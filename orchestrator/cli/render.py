"""How results look: tables and details for people, JSON, YAML and names for programs."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, StrEnum
from pathlib import PurePath
from shutil import get_terminal_size
from typing import IO, Any, TypeVar

from orchestrator.amounts import count as count
from orchestrator.amounts import size as size
from orchestrator.cli.terminal import clean, paint
from orchestrator.errors import MlctlError

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds
GAP = 3  # columns between those of a table
NARROWEST = 8  # columns that the last one of a table keeps

_SCALARS = frozenset((str, int, float, bool, type(None)))

_T = TypeVar("_T")

STATE_STYLES = {
    "SUCCEEDED": "green",
    "RUNNING": "cyan",
    "FAILED": "red",
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
}


class Format(StrEnum):
    """What `-o` takes."""

    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def note(text: str) -> None:
    """Tell the user something that is not the result; what of that was written before comes first."""
    with writing():
        sys.stdout.flush()
    sys.stderr.write(f"{text}\n")


def warn(text: str) -> None:
    """Tell the user what is probably not as it should be."""
    note(f"{paint('warning:', 'yellow', sys.stderr)} {clean(text)}")


def next_steps(*commands: str) -> None:
    """Name the commands that probably come next."""
    for number, command in enumerate(commands):
        label = "next:" if number == 0 else "     "
        note(f"{paint(label, 'dim', sys.stderr)} {command}")


def show_list(
    items: Sequence[_T],
    output: Format | None,
    *,
    name: Callable[[_T], str],
    columns: dict[str, Callable[[_T], str]],
    empty: str,
    document: Callable[[_T], Any] = lambda item: item,
) -> None:
    """Write many things.

    Args:
        items: The things.
        output: As asked for; None is the table.
        name: What `-o name` shows of one.
        columns: Headings, and how to get the cell of one.
        empty: What to say when there are none; on stderr.
        document: What `-o json` shows of one.
    """
    if output is Format.NAME:
        write("".join(f"{name(item)}\n" for item in items))
    elif output:
        write(encode([document(item) for item in items], output))
    elif items:
        table(list(columns), [[cell(item) for cell in columns.values()] for item in items])
    else:
        note(empty)


def show_one(
    item: _T,
    output: Format | None,
    *,
    name: str,
    details: Callable[[_T], dict[str, str]],
    document: Callable[[_T], Any] = lambda item: item,
) -> None:
    """Write one thing: for people, what is known about it line by line, without what is empty."""
    if output is Format.NAME:
        write(f"{name}\n")
    elif output:
        write(encode(document(item), output))
    else:
        write(detail_lines(details(item), sys.stdout))


def detail_lines(details: dict[str, str], stream: IO[str]) -> str:
    """Return `label  value` lines for a stream; further lines of a value stand below its first."""
    shown = {label: clean(value).splitlines() for label, value in details.items() if value}
    width = max(map(len, shown), default=0)
    lines = []
    for label, (first, *rest) in shown.items():
        gap = " " * (width - len(label) + 2)
        lines.append(paint(label, "dim", stream) + gap + paint(first, STATE_STYLES.get(first, ""), stream))
        lines += [f"{'':{width}}  {line}" for line in rest]
    return "".join(f"{line}\n" for line in lines)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table; on a terminal it is made to fit the width, in a file nothing is left out.

    To fit, the last column is cut, then the last columns are left out, then the first is cut.
    """
    from rich.cells import set_cell_size

    cells = [[_flat(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(headings, *cells, strict=True)]
    if sys.stdout.isatty():
        widths = _fit(widths, get_terminal_size().columns)
    lines = []
    for number, row in enumerate([headings, *cells]):
        shown = []
        for cell, width in zip(row, widths, strict=False):
            fitted = cell if _width(cell) <= width else set_cell_size(cell, width - 1) + "…"
            style = STATE_STYLES.get(cell, "") if number else "dim"
            padding = " " * (width - _width(fitted))
            shown.append((paint(fitted, style, sys.stdout) if style else fitted) + padding)
        lines.append((" " * GAP).join(shown).rstrip() + "\n")
    write("".join(lines))


def _flat(cell: str) -> str:
    """Return a cell as one line without what could harm a terminal."""
    harmless = cell.isascii() and cell.isprintable()
    return " ".join((cell if harmless else clean(cell)).split())


def _width(cell: str) -> int:
    """Return the columns that a flat cell takes."""
    if cell.isascii():
        return len(cell)
    from rich.cells import cell_len

    return cell_len(cell)


def _fit(widths: list[int], columns: int) -> list[int]:
    """Return the widths of the columns that are shown where there are so many columns of characters."""

    def left_for_last() -> int:
        return columns - sum(widths[:-1]) - GAP * (len(widths) - 1)

    while len(widths) > 2 and left_for_last() < min(widths[-1], NARROWEST):
        widths = widths[:-1]
    if len(widths) > 1:
        lacking = min(widths[-1], NARROWEST) - left_for_last()
        widths = [max(widths[0] - max(lacking, 0), min(widths[0], NARROWEST)), *widths[1:]]
    return [*widths[:-1], min(widths[-1], max(left_for_last(), NARROWEST))]


def show_objects(objects: list[dict[str, Any]], output: Format) -> None:
    """Write a cluster's objects as `kubectl apply` takes them."""
    if output is Format.JSON:
        write(encode({"apiVersion": "v1", "kind": "List", "items": objects}, output))
    else:
        write("---\n".join(encode(one, output) for one in objects))


def encode(value: Any, output: Format) -> str:
    """Return a value as a JSON or YAML document."""
    if output is Format.JSON:
        import json

        import msgspec

        # Python's own encoder is slow when it indents; msgspec's writes what an ASCII terminal cannot.
        return msgspec.json.format(json.dumps(plain(value)), indent=2) + "\n"
    import yaml

    return str(yaml.safe_dump(plain(value), sort_keys=False))


def plain(value: Any) -> Any:
    """Return a value as dicts, lists and scalars. Unlike in the store, every field of a struct is there."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, dict):
        return {str(key): item if type(item) in _SCALARS else plain(item) for key, item in value.items()}
    if fields := getattr(value, "__struct_fields__", None):
        items = [(name, getattr(value, name)) for name in fields]
        return {name: item if type(item) in _SCALARS else plain(item) for name, item in items}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, PurePath) else value


def write(text: str) -> None:
    """Write a result to stdout."""
    with writing():
        sys.stdout.write(text)


@contextmanager
def writing() -> Iterator[None]:
    """Tell why stdout cannot be written; that its reader has gone is another matter (main.Root)."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise output_error(error) from error


def output_error(error: OSError) -> MlctlError:
    """Return what to tell about a failed write to stdout."""
    return MlctlError(f"cannot write the output: {error.strerror}", hint="look where stdout goes")


def duration(seconds: float) -> str:
    """Return a time span for people, its two largest units: `4.2s`, `3m 07s`, `2h 05m`, `3d 4h`."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f}s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m {whole % MINUTE:02}s"
    if whole < DAY:
        return f"{whole // HOUR}h {whole % HOUR // MINUTE:02}m"
    return f"{whole // DAY}d {whole % DAY // HOUR}h"


def ago(moment: float) -> str:
    """Return how long ago a moment was, in its largest unit: `5m ago`; empty for 0."""
    if not moment:
        return ""
    seconds = max(time.time() - moment, 0)
    for unit, letter in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= unit:
            return f"{int(seconds // unit)}{letter} ago"
    return "just now" if seconds < 5 else f"{int(seconds)}s ago"


def moment(seconds: float) -> str:
    """Return a moment as local date and time; empty for 0."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else ""
