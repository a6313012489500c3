"""What is shown of versions beside each other."""

from typing import TYPE_CHECKING, Any

from orchestrator.cli.cost import money_of
from orchestrator.cli.job_view import cost
from orchestrator.cli.metrics_view import point_document
from orchestrator.cli.render import count, duration

if TYPE_CHECKING:
    from orchestrator.jobs.compare import Comparison, Fact, Metric
    from orchestrator.metrics.table import Summary

ABREAST = 6  # versions up to which each is a column, and beyond a line
GOALS = {"minimize": "less is better", "maximize": "more is better"}


def sheet(found: "Comparison", *, everything: bool) -> tuple[list[str], list[list[str]]]:
    """Return headings and lines of the table for people."""
    views = found.views
    lines = [[fact.label, *fact.values] for fact in _shown(found, everything)]
    lines.append(["state", *(view.status.state.value for view in views)])
    lines.append(["duration", *(duration(view.duration) if view.duration else "" for view in views)])
    if any(view.cost for view in views):
        lines.append(["cost", *map(cost, views)])
    lines += [[_title(metric), *_cells(metric)] for metric in found.metrics]
    headings = ["", *found.names()]
    if len(views) <= ABREAST:
        return headings, lines
    return ["VERSION", *(line[0] for line in lines)], [
        list(column) for column in list(zip(headings, *lines, strict=True))[1:]
    ]


def together(found: "Comparison") -> str:
    """Return what all versions took, and what the marks mean."""
    total = found.total()
    text = f"{count(len(found.views), 'version')} together: {duration(total.seconds)}"
    text += f", {money_of(total)}" if any(total.cost.values()) else ""
    return text + ("; * is the best" if any(metric.best for metric in found.metrics) else "")


def document(found: "Comparison", *, everything: bool) -> dict[str, Any]:
    """Return the comparison as plain data; values stand in the order of the versions."""
    total = found.total()
    return {
        "versions": [
            {
                "name": view.name,
                "version": view.version,
                "state": view.status.state.value,
                "duration": view.duration,
                "cost": view.cost,
                "currency": view.record.price.currency if view.record.price else None,
            }
            for view in found.views
        ],
        "total": {"duration": total.seconds, "cost": total.cost},
        "facts": [
            {"section": fact.section, "name": fact.name, "values": fact.values} for fact in _shown(found, everything)
        ],
        "metrics": [
            {
                "name": metric.name,
                "goal": metric.goal,
                "guessed": metric.guessed,
                "best": metric.best,
                "values": [
                    value and {"best": point_document(value.best), "last": point_document(value.last)}
                    for value in metric.values
                ],
            }
            for metric in found.metrics
        ],
    }


def records(found: "Comparison", *, everything: bool) -> tuple[list[str], list[list[Any]]]:
    """Return headings and a line for each version, with plain numbers."""
    facts = _shown(found, everything)
    headings = ["name", "version", "state", "duration", "cost", "currency"]
    headings += [fact.label for fact in facts]
    headings += [title for metric in found.metrics for title in (metric.name, f"{metric.name} (last)")]
    lines: list[list[Any]] = []
    for index, view in enumerate(found.views):
        price = view.record.price
        line = [view.name, view.version, view.status.state.value, round(view.duration, 3), view.cost]
        line += [price.currency if price else None, *(fact.values[index] for fact in facts)]
        for metric in found.metrics:
            value = metric.values[index]
            line += [value.best.value, value.last.value] if value else [None, None]
        lines.append(line)
    return headings, lines


def _shown(found: "Comparison", everything: bool) -> "list[Fact]":
    return found.facts if everything else found.differences()


def _title(metric: "Metric") -> str:
    return f"{metric.name} ({GOALS[metric.goal]}{', guessed' if metric.guessed else ''})"


def _cells(metric: "Metric") -> list[str]:
    return [_cell(value, index in metric.best) for index, value in enumerate(metric.values)]


def _cell(value: "Summary | None", best: bool) -> str:
    return "" if value is None else f"{value.best.value:.6g}" + (" *" if best else "")
