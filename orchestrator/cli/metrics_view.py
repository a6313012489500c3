"""What is shown of metrics."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.cli.plot import Curve
from orchestrator.cli.render import duration, plain, size, table

if TYPE_CHECKING:
    from orchestrator.jobs.view import JobView
    from orchestrator.metrics.table import Point, Progress, Series, Summary, Table

BARS = "▁▂▃▄▅▆▇█"
SHORT = 12  # bars of a sparkline
GOALS = {"minimize": "min", "maximize": "max"}


def show_table(shown: "Mapping[str, Series]") -> None:
    """Write a line for each metric."""
    table(
        ["METRIC", "LAST", "BEST", "AT", "GOAL", "POINTS", "TREND"],
        [
            [
                name,
                value(name, each.last.value),
                "" if each.source == "system" else value(name, each.best.value),
                "" if each.source == "system" else str(each.best.step),
                "" if each.source == "system" else GOALS[each.goal] + "?" * each.guessed,
                str(each.count),
                sparkline(each.summary().trend),
            ]
            for name, each in shown.items()
        ],
    )


def value(name: str, number: float) -> str:
    """Return a metric's value for people."""
    if name.endswith("memory") and math.isfinite(number):
        return size(round(number))
    return f"{number:.5g}"


def sparkline(values: list[float]) -> str:
    """Return the course of values in one word; where they stay the same it is flat."""
    if len(values) < 2:
        return ""
    chosen = [values[round(i * (len(values) - 1) / (SHORT - 1))] for i in range(SHORT)]
    shown = chosen if len(values) > SHORT else values
    low, high = min(shown), max(shown)
    if not (high - low > 0 and math.isfinite(high - low)):
        return BARS[0] * len(shown)
    return "".join(BARS[round((each - low) / (high - low) * (len(BARS) - 1))] for each in shown)


def headline(metrics: "Mapping[str, Summary]") -> str:
    """Return the metric that matters most, in a few words, as in `validation_accuracy 0.9494 ▁▄▆█`."""
    for name, each in metrics.items():
        return f"{name} {value(name, each.last.value)} {sparkline(each.trend)}".rstrip()
    return ""


def lines(metrics: "Mapping[str, Summary]") -> str:
    """Return a line for each metric: best and last value."""
    told = []
    for name, each in metrics.items():
        last, best = value(name, each.last.value), value(name, each.best.value)
        told.append(f"{name} {last}" + (f" (best {best}, at {each.best.step})" if best != last else ""))
    return "\n".join(told)


def progress(made: "Progress | None", *, finished: bool) -> str:
    """Return how far a script is, as in `40 %, epoch 4 of 10, 2m 10s left`."""
    if made is None or (finished and made.share == 1):
        return ""
    text = f"{made.share:.0%}".replace("%", " %") + f", {made.unit} {made.done:.4g} of {made.total}"
    left = None if finished else made.remaining
    return text if left is None else f"{text}, {duration(left)} left"


def curves(shown: "Mapping[str, Series]", *, asked: bool) -> "Iterator[tuple[str, dict[str, Curve]]]":
    """Yield titles and curves; unless it was asked for, what the machine does is left out."""
    for name, each in shown.items():
        if asked or each.source != "system":
            yield name, {name: [(point.step, point.value) for point in each.curve()]}


def points(shown: "Mapping[str, Series]") -> tuple[list[str], list[list[Any]]]:
    """Return headings and a line for each point."""
    return ["metric", "step", "time", "value"], [
        [name, point.step, point.time, point.value] for name, each in shown.items() for point in each.curve()
    ]


def point_document(point: "Point") -> dict[str, Any]:
    """Return a measurement as plain data; nan and infinity, which JSON does not have, are text."""
    return {"step": point.step, "time": point.time, "value": point.number}


def document(view: "JobView", found: "Table", shown: "Mapping[str, Series]") -> dict[str, Any]:
    """Return metrics as plain data."""
    return {
        "name": view.name,
        "version": view.version,
        "progress": plain(found.progress),
        "metrics": {
            name: {
                "source": each.source,
                "goal": each.goal,
                "guessed": each.guessed,
                "count": each.count,
                "best": point_document(each.best),
                "last": point_document(each.last),
                "points": [point_document(point) for point in each.curve()],
            }
            for name, each in shown.items()
        },
        "notes": found.notes,
    }
