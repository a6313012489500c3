"""The patterns of the spec and of engines, made ready to read lines of a log."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from orchestrator.errors import UsageError
from orchestrator.metrics.kinds import Goal
from orchestrator.metrics.styles import STYLES, Line

DIGITS = 15  # of a step, at most
_GROUPS = {"epoch", "nth_epoch", "of", "step", "batch", "batches", "pairs", "phrases"}


class Measures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is measured of a job.

    Attributes:
        styles: How its engine writes metrics: names of styles, or patterns of lines.
        patterns: The spec's own, by the names of their metrics.
        goals: Which values are better, where the spec says so.
        total: How many epochs or steps the script makes; 0 if that is not known.
        unit: What these are.
    """

    styles: tuple[str, ...] = ()
    patterns: dict[str, str] = {}
    goals: dict[str, Goal] = {}
    total: int = 0
    unit: str = ""


Row = tuple[bytes, ...]  # what the groups of a pattern took; empty of one that took no part


class Match(Protocol):
    """A part of a line."""

    def start(self) -> int: ...
    def end(self) -> int: ...
    def groups(self, default: bytes, /) -> Any: ...


class Compiled(NamedTuple):
    """A pattern that can be looked for.

    Attributes:
        name: The metric, or empty where `pairs` has names.
        prefix: What names of `pairs` begin with.
        needs: Bytes without which nothing matches.
        find: Finds all matches in whole lines.
        rows: The same for what their groups took, which is faster.
        at: Places of the named groups in a row.
    """

    name: str
    prefix: str
    needs: bytes
    find: Callable[[bytes], Iterator[Match]]
    rows: Callable[[bytes], Iterable[Row]]
    at: Mapping[str, int]

    def number(self, name: str, row: Row) -> int | None:
        """Return the whole number that a group took, if it took one."""
        place = self.at.get(name)
        text = b"" if place is None else row[place]
        return int(text) if text.isdigit() and len(text) <= DIGITS else None


def engine_lines(styles: Sequence[str]) -> list[Compiled]:
    """Return the patterns of an engine's styles.

    Raises:
        UsageError: One is neither the name of a style nor a pattern.
    """
    lines: list[Line] = []
    for style in styles:
        lines += STYLES.get(style) or [Line(style, "")]
    return [_compile_line(line) for line in lines]


def _compile_line(line: Line) -> Compiled:
    try:
        pattern = re.compile(line.pattern.encode())
    except re.error as error:
        known = ", ".join(STYLES)
        raise UsageError(f"`{line.pattern}` is neither a style of metrics ({known}) nor a pattern: {error}") from error
    if stray := pattern.groupindex.keys() - _GROUPS:
        raise UsageError(
            f"the pattern `{line.pattern}` has a group `{min(stray)}`; known: {', '.join(sorted(_GROUPS))}"
        )
    at = {name: number - 1 for name, number in pattern.groupindex.items()}
    return Compiled("", line.prefix, line.needs.encode(), pattern.finditer, _rows(pattern), at)


def _rows(pattern: Any) -> Callable[[bytes], Iterable[Row]]:
    """Return what finds rows: `findall`, but of a single group that gives no tuples."""
    return pattern.findall if pattern.groups > 1 else lambda data: zip(pattern.findall(data))


def own_pattern(name: str, pattern: str) -> Compiled:
    """Return a pattern of the spec: its group `value`, or its only one, is the metric; `step` or `epoch` may be others.

    It is RE2's: whatever a user writes, it takes no more time than the log is long, and the job is looked after.

    Raises:
        UsageError: It is not a regular expression, or it has no such group.
    """
    import re2

    options = re2.Options()
    options.never_nl = True  # a match is in one line
    options.log_errors = False
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        hint = "RE2's syntax: https://github.com/google/re2/wiki/Syntax"
        raise UsageError(f"is not a regular expression: {reason}", hint=hint) from error
    at = {key.decode(): number - 1 for key, number in compiled.groupindex.items()}
    if stray := at.keys() - {"value", "step", "epoch"}:
        raise UsageError(f"has a group `{min(stray)}`; it may have `value`, `step` and `epoch`")
    if "value" not in at:
        if compiled.groups != 1 or at:
            raise UsageError("must have one group, for the value, or one that is named: (?P<value>...)")
        at["value"] = 0
    return Compiled(name, "", b"", compiled.finditer, _rows(compiled), at)
