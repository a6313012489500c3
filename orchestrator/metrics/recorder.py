"""Puts measurements into the table of a version."""

import math
from collections.abc import Mapping, Sequence

from orchestrator.metrics.goal import guess_goal
from orchestrator.metrics.kinds import Goal, Source
from orchestrator.metrics.lines import Readings
from orchestrator.metrics.table import Progress, Series, Step, Table, point

MOST_SERIES = 200
MOST_NOTES = 20
LONGEST_NAME = 200  # characters


class Recorder:
    """Adds to one table.

    Args:
        table: The table, which it changes.
        goals: Which values are better, where the spec says so.
        total: How many epochs or steps the script makes; 0 if that is not known.
        unit: What these are: `epoch` or `step`.
    """

    def __init__(self, table: Table, goals: Mapping[str, Goal], total: int = 0, unit: str = "") -> None:
        self.table = table
        self._goals = goals
        if not total and table.progress:  # the log has said it, to an earlier process
            total, unit = table.progress.total, table.progress.unit
        self._total = total
        self._unit = unit
        self._series = {(each.source, each.name): each for each in table.series}

    def record(self, source: Source, name: str, step: int | None, time: float, value: float) -> None:
        """Add a measurement; one without a step gets its place in the series."""
        self.extend(source, name, [step], time, [value])

    def extend(
        self, source: Source, name: str, steps: Sequence[Step | None], time: float, values: Sequence[float]
    ) -> None:
        """Add measurements of one metric."""
        if not values:
            return
        name = name[:LONGEST_NAME]
        series = self._series.get((source, name))
        if series is None:
            if len(self._series) >= MOST_SERIES:
                self.note(f"only the first {MOST_SERIES} metrics are kept; `{name}` is not one of them")
                return
            goal = self._goals.get(name)
            first = point(int(steps[0] or 0), time, values[0])
            series = Series(
                name=name, source=source, goal=goal or guess_goal(name), guessed=goal is None, best=first, last=first
            )
            self._series[source, name] = series
            self.table.series.append(series)
        series.extend(steps, time, values)

    def read(self, told: Readings, time: float) -> None:
        """Add what lines of the log say."""
        for name, column in told.columns.items():
            self.extend("log", name, column.steps, time, column.values)
        if told.of:
            self._total, self._unit = told.of, "epoch"
        if done := told.epochs if self._unit == "epoch" else told.steps if self._unit == "step" else ():
            self.advance("log", float(done[0]), time)
            self.advance("log", float(done[-1]), time)

    def advance(self, source: Source, done: float, time: float) -> None:
        """Note that so many epochs or steps are over, as that source says."""
        if self._total <= 0 or not math.isfinite(done):
            return
        before = self.table.progress
        if before is None or (before.total, before.unit) != (self._total, self._unit):
            begun, since = done, time
        elif before.source != source:
            return
        elif done < before.begun:
            begun, since = done, time  # it was started again
        elif done <= before.done:
            return
        else:
            begun, since = before.begun, before.since
        self.table.progress = Progress(
            done=done, total=self._total, unit=self._unit, source=source, since=since, begun=begun, time=time
        )

    @property
    def unit(self) -> str:
        """Return what the progress is counted in."""
        return self._unit

    def note(self, text: str) -> None:
        """Say what could not be read, once."""
        if text not in self.table.notes and len(self.table.notes) < MOST_NOTES:
            self.table.notes.append(text)
