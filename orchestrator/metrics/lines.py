"""Reads metrics from a log as it grows: many lines at once, for a script may print thousands of them a second."""

import re
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from orchestrator.metrics.patterns import Compiled, Match
from orchestrator.metrics.styles import COUNTERS, PAIR

DIGITS = 15  # of a step, at most
_pairs = re.compile(PAIR.encode()).findall
_BREAKS = bytes.maketrans(b"\r\b", b"\n\n")  # progress bars draw themselves again
_COLOUR = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class Column:
    """Values of one metric in the order of their lines; a step is None where the line does not tell it."""

    def __init__(self) -> None:
        self.steps: list[int | None] = []
        self.values: list[float] = []


class Readings:
    """What some lines say.

    Attributes:
        columns: Values by the names of their metrics.
        epochs: Epochs that are over, each time it was told.
        steps: The same for steps.
        of: How many epochs there are, if that was told.
    """

    def __init__(self) -> None:
        self.columns: dict[str, Column] = {}
        self.epochs: list[float] = []
        self.steps: list[int] = []
        self.of: int | None = None

    def column(self, name: str) -> Column:
        """Return the values of a metric, to add to."""
        found = self.columns.get(name)
        if found is None:
            found = self.columns[name] = Column()
        return found


class LineReader:
    """Reads lines one after the other.

    Args:
        engine: The engine's patterns; the first that matches a part of a line has it.
        own: The spec's patterns; the engine's do not use their names.
        epoch: Number of the epoch that lines without one belong to, counted from 1; 0 is none.
        step: The same for steps.
    """

    def __init__(self, engine: Sequence[Compiled], own: Sequence[Compiled], *, epoch: int = 0, step: int = 0) -> None:
        self._engine = engine
        self._own = own
        self._taken = {each.name for each in own}
        self.epoch = epoch
        self.step = step

    def read(self, data: bytes) -> Readings:
        """Return what whole lines say."""
        if b"\r" in data or b"\b" in data:
            data = data.translate(_BREAKS)
        if b"\x1b" in data:
            data = _COLOUR.sub(b"", data)
        told = Readings()
        for pattern in self._own:
            self._read_own(pattern, data, told)
        patterns = [pattern for pattern in self._engine if pattern.needs in data]
        if len(patterns) == 1:
            self._read_engine(((patterns[0], match) for match in patterns[0].find(data)), told)
        elif patterns:
            self._read_engine(_in_order(patterns, data), told)
        return told

    def _read_own(self, pattern: Compiled, data: bytes, told: Readings) -> None:
        column = told.column(pattern.name)
        for match in pattern.find(data):
            value, epoch, step = (
                match.group(pattern.groups[key]) if key in pattern.groups else None
                for key in ("value", "epoch", "step")
            )
            try:
                number = float(value or b"")
            except ValueError:  # the group took no part, or more than a number
                continue
            at_epoch, at_step = _number(epoch), _number(step)
            column.values.append(number)
            column.steps.append(at_epoch if at_step is None else at_step)
            if at_epoch is not None:
                told.epochs.append(at_epoch + 1)
            if at_step is not None:
                told.steps.append(at_step)

    def _read_engine(self, found: Iterable[tuple[Compiled, Match]], told: Readings) -> None:
        columns: dict[tuple[str, bytes], Column | None] = {}  # of what `pairs` has; None is no metric
        done = told.steps
        for pattern, match in found:
            groups = pattern.groups
            step = _number(match.group(groups["step"])) if "step" in groups else None
            if "pairs" not in groups:
                self.step = step or self.step
                self._begin_epoch(pattern, match, told)
                continue
            place: int | None = step
            if step is not None:
                done.append(step)
            elif "epoch" in groups:
                place = self._in_epoch(pattern, match, told)
            elif self.epoch:
                place = self.epoch
                told.epochs.append(place)
            elif self.step:
                place = self.step
            prefix = pattern.prefix
            for key, number in _pairs(match.group(groups["pairs"])):
                try:
                    column = columns[prefix, key]
                except KeyError:
                    name = self._name(prefix, key)
                    column = columns[prefix, key] = told.column(name) if name else None
                if column is not None:
                    column.steps.append(place)
                    column.values.append(float(number))

    def _begin_epoch(self, pattern: Compiled, match: Match, told: Readings) -> None:
        if "nth_epoch" not in pattern.groups:
            return
        self.epoch = _number(match.group(pattern.groups["nth_epoch"])) or self.epoch
        told.of = _number(match.group(pattern.groups["of"])) if "of" in pattern.groups else None
        told.epochs.append(self.epoch - 1)

    @staticmethod
    def _in_epoch(pattern: Compiled, match: Match, told: Readings) -> int | None:
        """Return the step of a line that tells its epoch, counted from 0, and perhaps its batch."""
        epoch, batch, batches = (
            _number(match.group(pattern.groups[key])) if key in pattern.groups else None
            for key in ("epoch", "batch", "batches")
        )
        if epoch is None:
            return None
        if batch is None:
            told.epochs.append(epoch + 1)
            return epoch
        told.epochs.append(epoch + (batch / batches if batches else 0))
        return epoch * batches + batch if batches else None

    def _name(self, prefix: str, key: bytes) -> str:
        """Return the name of a metric; empty for what is none, or is the spec's."""
        plain = key.decode().lower().replace("-", "_")
        return "" if plain in COUNTERS or prefix + plain in self._taken else prefix + plain


def _in_order(patterns: Sequence[Compiled], data: bytes) -> Iterator[tuple[Compiled, Match]]:
    """Yield matches as they stand in the lines; of two for the same part the first pattern has it."""
    every = [
        (match.start(), number, pattern, match)
        for number, pattern in enumerate(patterns)
        for match in pattern.find(data)
    ]
    every.sort(key=itemgetter(0, 1))
    end = 0
    for start, _, pattern, match in every:
        if start >= end:
            end = match.end()
            yield pattern, match


def _number(text: bytes | None) -> int | None:
    return int(text) if text and len(text) <= DIGITS and text.isdigit() else None
