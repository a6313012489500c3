"""The metrics of a job version, `metrics.json` beside its record: a few thousand numbers however long it runs.

A series that outgrows POINTS is thinned: every second point goes, and from then on every second one that comes. Its
first, best and last points always stay, and the log and the event files have them all.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from orchestrator.metrics.goal import weight
from orchestrator.metrics.kinds import PRECEDENCE, Goal, Source

METRICS = "metrics.json"
POINTS = 1000  # of a series, at most
TREND = 16  # points of a summary, at most
DIGITS = 4  # of a trend's numbers
SUMMARIES = 20  # of a record, at most

Step = int | bytes  # digits as a line has them: of a burst, few are ever looked at
Number = float | Literal["NaN", "Infinity", "-Infinity"]  # JSON has no such numbers; protobuf's JSON writes them so


class Point(msgspec.Struct, frozen=True, array_like=True):
    """One measurement.

    Attributes:
        step: Epoch, step or iteration, as the script counts; its place in the series where the script does not say.
        time: Seconds since the epoch.
        number: The value, as JSON takes it.
    """

    step: int
    time: float
    number: Number

    @property
    def value(self) -> float:
        """Return the value, which may be nan or infinite."""
        return float(self.number)


def point(step: int, time: float, value: float) -> Point:
    """Return a measurement of any value."""
    if math.isfinite(value):
        return Point(step, time, value)
    return Point(step, time, "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity")


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What the record of a version says of a series.

    Attributes:
        goal: Which values are better.
        guessed: Whether mlctl guessed that from the name.
        best, last: Those points.
        trend: Some of its finite values, in order, for a sparkline.
    """

    goal: Goal
    guessed: bool
    best: Point
    last: Point
    trend: list[float] = []


class Series(msgspec.Struct, kw_only=True):
    """One metric as it went.

    Attributes:
        name: As the script, or the pattern, calls it.
        source: Where it was read.
        goal: Which values are better.
        guessed: Whether mlctl guessed that from the name.
        count: Number of measurements.
        stride: Each kept point stands for so many.
        best: The best finite one, or the first.
        last: The newest.
        points: Those that are kept, in order of arrival.
    """

    name: str
    source: Source
    goal: Goal
    guessed: bool
    best: Point
    last: Point
    count: int = 0
    stride: int = 1
    points: list[Point] = []

    def extend(self, steps: Sequence[Step | None], time: float, values: Sequence[float]) -> None:
        """Append measurements, one or many; one without a step gets its place in the series."""
        if not values:
            return

        def at(index: int) -> Point:
            step = steps[index]
            return point(self.count + index if step is None else int(step), time, values[index])

        all_finite = math.isfinite(sum(values))
        if finite := values if all_finite else [value for value in values if math.isfinite(value)]:
            best = min(finite) if self.goal == "minimize" else max(finite)
            if better(best, self.best.value, self.goal):
                self.best = at(values.index(best))
        while len(kept := range(-self.count % self.stride, len(values), self.stride)) + len(self.points) > POINTS:
            self.points = self.points[::2]
            self.stride *= 2
        self.points += map(at, kept)
        self.last = at(len(values) - 1)
        self.count += len(values)

    def curve(self) -> list[Point]:
        """Return the points with the last one, whether it was kept or not."""
        return self.points if self.points and self.points[-1] == self.last else [*self.points, self.last]

    def summary(self) -> Summary:
        """Return what the record says of it."""
        finite = [float(f"{each.value:.{DIGITS}g}") for each in self.curve() if math.isfinite(each.value)]
        if len(finite) > TREND:
            finite = [finite[round(i * (len(finite) - 1) / (TREND - 1))] for i in range(TREND)]
        return Summary(goal=self.goal, guessed=self.guessed, best=self.best, last=self.last, trend=finite)


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a script is.

    Attributes:
        done: Epochs or steps that are over.
        total: How many there will be.
        unit: What they are, as in `epoch`.
        source: Who told first; the others may lag behind.
        since: When the first of them was seen, seconds since the epoch.
        begun: How many were over by then.
        time: When `done` was reached.
    """

    done: float
    total: int
    unit: str
    source: Source
    since: float
    begun: float
    time: float

    @property
    def share(self) -> float:
        """Return how much is done, from 0 to 1."""
        return min(1.0, self.done / self.total)

    @property
    def remaining(self) -> float | None:
        """Return the seconds that the rest takes at the pace so far, or None if that cannot be told yet."""
        made, took = self.done - self.begun, self.time - self.since
        return (self.total - self.done) * took / made if made > 0 and took > 0 else None


class Context(msgspec.Struct, kw_only=True):
    """What the log said last: lines that do not tell their epoch (counted from 1) or step belong there; 0 is none."""

    epoch: int = 0
    step: int = 0


class Table(msgspec.Struct, kw_only=True):
    """All metrics of a version.

    Attributes:
        series: Each of them.
        progress: How far the script is, if that can be told.
        notes: What could not be read, for people.
        read: How many bytes of each file are in it, so that any process can go on.
        context: Where in the log that is.
    """

    series: list[Series] = []
    progress: Progress | None = None
    notes: list[str] = []
    read: dict[str, int] = {}
    context: Context = msgspec.field(default_factory=Context)

    def named(self) -> dict[str, Series]:
        """Return the series by the names that users see: several of one name are told apart as in `log:loss`."""
        found: dict[str, Series] = {}
        for each in sorted(self.series, key=lambda one: (PRECEDENCE.index(one.source), one.name)):
            found[f"{each.source}:{each.name}" if each.name in found else each.name] = each
        return found

    def find(self, name: str) -> Series | None:
        """Return the series that users call so."""
        return self.named().get(name)

    def summaries(self) -> dict[str, Summary]:
        """Return what the record says of what the script measures; what matters most comes first."""
        # Of several of one name the first is enough here.
        told = [pair for pair in self.named().items() if pair[1].source != "system" and pair[0] == pair[1].name]
        told.sort(key=lambda pair: -weight(pair[0], declared=not pair[1].guessed))
        return {name: each.summary() for name, each in told[:SUMMARIES]}


def finals(summaries: Mapping[str, Summary]) -> dict[str, float]:
    """Return the last values by the names of their metrics; those that are nan or infinite are left out."""
    return {name: one.last.value for name, one in summaries.items() if math.isfinite(one.last.value)}


def better(value: float, than: float, goal: Goal) -> bool:
    """Tell whether a value is better than another; every finite one is better than nan and infinity."""
    if not math.isfinite(value):
        return False
    return not math.isfinite(than) or (value < than if goal == "minimize" else value > than)
