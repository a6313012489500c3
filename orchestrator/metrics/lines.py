"""Reads metrics from a log as it grows: many lines at once, for a script may print thousands of them a second."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from orchestrator.metrics.patterns import DIGITS, Compiled, Row
from orchestrator.metrics.styles import COUNTERS, WORD
from orchestrator.metrics.table import Step

_words = re.compile(WORD.encode()).findall
_decode = msgspec.json.Decoder(list[float]).decode
_BREAKS = bytes.maketrans(b"\r\b", b"\n\n")  # progress bars draw themselves again
_COLOUR = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_AVERAGE = re.compile(rb"\b[Aa](?:verage|vg\.?) +(?=[A-Za-z])")
_QUALIFIER = re.compile(
    rb"\b([Tt]rain(?:ing)?|[Vv]al(?:id(?:ation)?)?|[Tt]est(?:ing)?|[Ee]val(?:uation)?) +(?=[A-Za-z])"
)
_FRACTION = re.compile(rb"(?<=[=:] )(\d{1,15})/(0*[1-9]\d{0,14})\b")
_Add = Callable[[Any], None]  # to a list


class Column:
    """Values of one metric in the order of their lines; a step is None where the line does not tell it."""

    def __init__(self) -> None:
        self.steps: list[Step | None] = []
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
        self.steps: list[Step] = []
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
        self._read_engine(_runs([pattern for pattern in self._engine if pattern.needs in data], data), told)
        return told

    def _read_own(self, pattern: Compiled, data: bytes, told: Readings) -> None:
        column = told.column(pattern.name)
        at = pattern.at
        for row in pattern.rows(data):
            try:
                number = float(row[at["value"]])
            except ValueError:  # the group took no part, or more than a number
                continue
            epoch = pattern.number("epoch", row) if "epoch" in at else None
            step = pattern.number("step", row) if "step" in at else None
            column.values.append(number)
            column.steps.append(epoch if step is None else step)
            if epoch is not None:
                told.epochs.append(epoch + 1)
            if step is not None:
                told.steps.append(step)

    def _read_engine(self, runs: Iterable[tuple[Compiled, Iterable[Row]]], told: Readings) -> None:
        numbers: dict[str, list[bytes]] = defaultdict(list)  # as they are written, by the names of their metrics
        adders: dict[str, dict[bytes, tuple[_Add, _Add]]] = defaultdict(dict)  # by prefixes, and names in `pairs`
        for pattern, rows in runs:
            at, known = pattern.at, adders[pattern.prefix]
            step, phrases = at.get("step", -1), "phrases" in at
            pairs = at["phrases"] if phrases else at.get("pairs", -1)
            if pairs < 0:
                for row in rows:
                    self._go_to(pattern, row, told)
                continue
            for row in rows:
                digits = row[step] if step >= 0 else b""
                if digits.isdigit() and len(digits) <= DIGITS:
                    place: Step | None = digits
                    told.steps.append(digits)
                else:
                    place = self._place(pattern, row, told)
                for key, number in _words(_spelt(row[pairs]) if phrases else row[pairs]):
                    if number:
                        try:
                            add_step, add_number = known[key]
                        except KeyError:
                            name = self._name(pattern.prefix, key)
                            steps = told.column(name).steps if name else []
                            add_step, add_number = known[key] = steps.append, numbers[name].append
                        add_step(place)
                        add_number(number)
        numbers.pop("", None)
        for name, written in numbers.items():
            told.columns[name].values += _floats(written)

    def _go_to(self, pattern: Compiled, row: Row, told: Readings) -> None:
        """Follow a line that tells where the lines behind it belong."""
        self.step = pattern.number("step", row) or self.step
        if "nth_epoch" in pattern.at:
            self.epoch = pattern.number("nth_epoch", row) or self.epoch
            told.of = pattern.number("of", row)
            told.epochs.append(self.epoch - 1)

    def _place(self, pattern: Compiled, row: Row, told: Readings) -> int | None:
        """Return the step or epoch of a line that does not tell its step."""
        if "epoch" in pattern.at:
            return self._in_epoch(pattern, row, told)
        if "nth_epoch" in pattern.at:
            return self._in_nth_epoch(pattern, row, told)
        if self.epoch:
            told.epochs.append(self.epoch)
        return self.epoch or self.step or None

    @staticmethod
    def _in_epoch(pattern: Compiled, row: Row, told: Readings) -> int | None:
        """Return the step of a line that tells its epoch, counted from 0, and perhaps its batch."""
        number = pattern.number
        epoch, batch, batches = number("epoch", row), number("batch", row), number("batches", row)
        if epoch is None:
            return None
        if batch is None:
            told.epochs.append(epoch + 1)
            return epoch
        told.epochs.append(epoch + (batch / batches if batches else 0))
        return epoch * batches + batch if batches else None

    def _in_nth_epoch(self, pattern: Compiled, row: Row, told: Readings) -> int:
        """Return the step of a line that tells its epoch, counted from 1, and perhaps its batch; else the epoch."""
        number = pattern.number
        self.epoch = epoch = number("nth_epoch", row) or self.epoch
        told.of = number("of", row) or told.of
        batch, batches = number("batch", row), number("batches", row)
        if batch is None or not batches:
            told.epochs.append(epoch)
            return epoch
        told.epochs.append(epoch - 1 + batch / batches)
        return (epoch - 1) * batches + batch

    def _name(self, prefix: str, key: bytes) -> str:
        """Return the name of a metric; empty for what is none, or is the spec's."""
        plain = key.decode().lower().replace("-", "_")
        return "" if plain in COUNTERS or prefix + plain in self._taken else prefix + plain


def _spelt(phrases: bytes) -> bytes:
    """Return phrases with names of one word, and numbers instead of fractions."""
    joined = _QUALIFIER.sub(rb"\1_", _AVERAGE.sub(b"", phrases))
    return _FRACTION.sub(lambda found: b"%r" % (int(found[1]) / int(found[2])), joined)


def _runs(patterns: Sequence[Compiled], data: bytes) -> Sequence[tuple[Compiled, Iterable[Row]]]:
    """Return what patterns find as it stands in the lines; of two for the same part the first pattern has it."""
    if len(patterns) == 1:
        return [(patterns[0], patterns[0].rows(data))]
    every = [(match.start(), number, match) for number, pattern in enumerate(patterns) for match in pattern.find(data)]
    every.sort(key=itemgetter(0, 1))
    runs: list[tuple[Compiled, list[Row]]] = []
    end, last = 0, -1
    for start, number, match in every:
        if start >= end:
            end = match.end()
            if number != last:
                runs.append((patterns[number], []))
                last = number
            runs[-1][1].append(match.groups(b""))
    return runs


def _floats(written: list[bytes]) -> list[float]:
    """Return the numbers that are written so: as JSON has them they are read in a fifth of the time."""
    try:
        return _decode(b"[%b]" % b",".join(written))
    except msgspec.DecodeError:  # as of `nan`, `1.`, `.5` and `+1`
        return [float(number) for number in written]
