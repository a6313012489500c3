"""Reads metrics from a log as it grows."""

import re
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from orchestrator.metrics.patterns import Compiled
from orchestrator.metrics.styles import COUNTERS, PAIR

DIGITS = 15  # of a step, at most
_PAIR = re.compile(PAIR.encode())
_BREAKS = bytes.maketrans(b"\r\b", b"\n\n")  # progress bars draw themselves again
_COLOUR = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class Reading(NamedTuple):
    """What a line says.

    Attributes:
        name: The metric; empty where only the progress is told.
        step: Its step or epoch, where that is known.
        value: The value; nan where only the progress is told.
        epochs: Epochs that are over, where that is known.
        steps: Steps that are over, where that is known.
        of: How many epochs there are, where that is known.
    """

    name: str
    step: int | None
    value: float
    epochs: float | None = None
    steps: int | None = None
    of: int | None = None


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
        self.matched: set[str] = set()  # of the spec's patterns

    def read(self, data: bytes) -> Iterator[Reading]:
        """Return what whole lines say."""
        if b"\r" in data or b"\b" in data:
            data = data.translate(_BREAKS)
        if b"\x1b" in data:
            data = _COLOUR.sub(b"", data)
        for pattern in self._own:
            yield from self._read_own(pattern, data)
        found = [
            (match.start(), number, match)
            for number, pattern in enumerate(self._engine)
            if pattern.needs in data
            for match in pattern.find(data)
        ]
        found.sort(key=itemgetter(0, 1))
        end = 0
        for start, number, match in found:
            if start >= end:
                end = match.end()
                yield from self._read_engine(self._engine[number], match.group)

    def _read_own(self, pattern: Compiled, data: bytes) -> Iterator[Reading]:
        for match in pattern.find(data):
            groups = {key: match.group(number) for key, number in pattern.groups.items()}
            try:
                value = float(groups["value"])
            except (TypeError, ValueError):  # the group took no part, or more than a number
                continue
            self.matched.add(pattern.name)
            epoch, step = _number(groups.get("epoch")), _number(groups.get("step"))
            done = None if epoch is None else epoch + 1
            yield Reading(pattern.name, epoch if step is None else step, value, epochs=done, steps=step)

    def _read_engine(self, pattern: Compiled, group: Callable[[int], bytes | None]) -> Iterator[Reading]:
        told = {key: group(number) for key, number in pattern.groups.items()}
        epoch, nth, step, batch, batches, of = (
            _number(told.get(key)) for key in ("epoch", "nth_epoch", "step", "batch", "batches", "of")
        )
        pairs = told.get("pairs")
        if pairs is None:
            self.epoch, self.step = nth or self.epoch, step or self.step
            if nth is not None:
                yield Reading("", None, float("nan"), epochs=nth - 1, of=of)
            return
        done: float | None = None
        place = step
        if epoch is not None:
            done = epoch + (1.0 if batch is None else batch / batches if batches else 0.0)
            place = epoch if batch is None else epoch * batches + batch if batches else None
        elif step is None and self.epoch:
            done, place = float(self.epoch), self.epoch
        elif step is None and self.step:
            place = self.step
        any_pair = False
        for key, text in _PAIR.findall(pairs):
            name = pattern.prefix + key.decode().lower().replace("-", "_")
            if key.decode().lower() not in COUNTERS and name not in self._taken:
                any_pair = True
                yield Reading(name, place, float(text), epochs=done, steps=step)
        if not any_pair and (done is not None or step is not None):
            yield Reading("", None, float("nan"), epochs=done, steps=step)


def _number(text: bytes | None) -> int | None:
    return int(text) if text and len(text) <= DIGITS and text.isdigit() else None
