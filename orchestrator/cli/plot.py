"""Curves in the terminal."""

import math
import string
import sys
from collections.abc import Mapping, Sequence
from shutil import get_terminal_size

from orchestrator.cli.terminal import clean, colours

COLOURS = (
    "blue+",
    "orange+",
    "green+",
    "red+",
    "magenta+",
    "cyan+",
    "blue",
    "orange",
    "green",
    "red",
    "magenta",
    "cyan",
)
LETTERS = string.ascii_letters  # for curves where there are no colours
TICKS = 5  # on an axis
TALLEST = 20  # lines
NARROWEST, SHORTEST = 20, 5  # columns and lines below which axes leave no room for curves
LARGEST = 1e100  # what is beyond is drawn there: plotext cannot scale the whole range of floats

Curve = Sequence[tuple[float, float]]


def draw(title: str, curves: Mapping[str, Curve], width: int = 0, height: int = 0) -> str:
    """Return curves over one another with axes and a legend; without colours each is drawn in a letter of its own.

    Args:
        title: Above it.
        curves: By name: points of steps (or seconds) and values; those that are not finite are left out.
        width: Columns; 0 is as many as the terminal has.
        height: Lines of the picture without legend; 0 is what suits the terminal.
    """
    terminal = get_terminal_size()
    shown = {clean(name): finite for name, curve in curves.items() if (finite := _finite(curve))}
    if not shown:
        return f"{clean(title)}: no finite values\n"
    import plotext

    plotext.clear_figure()
    plotext.limit_size(False, False)
    columns = max(width or terminal.columns, NARROWEST)
    plotext.plot_size(columns, max(height or min(terminal.lines - 4, TALLEST), SHORTEST))
    for paint in (plotext.canvas_color, plotext.axes_color, plotext.ticks_color):
        paint("default")
    plotext.title(clean(title))
    coloured, legend = colours(sys.stdout), []
    for number, (name, curve) in enumerate(shown.items()):
        colour = COLOURS[number % len(COLOURS)]
        marker = "braille" if coloured or len(shown) == 1 else LETTERS[number % len(LETTERS)]
        xs, ys = zip(*_thinned(curve, columns), strict=True)
        plotext.plot(xs, ys, marker=marker, color=colour)
        sign = "⠿" if marker == "braille" else marker
        legend.append(f"{plotext.colorize(sign, colour) if coloured else sign} {name}")
    steps, values = zip(*(point for curve in shown.values() for point in curve), strict=True)
    across, up = _ticks(min(steps), max(steps)), _ticks(min(values), max(values))
    if all(float(x).is_integer() for x in steps):
        across = sorted({*map(round, across)})
    plotext.xticks(across, [f"{x:.6g}" for x in across])
    plotext.yticks(up, [f"{y:.4g}" for y in up])
    picture = str(plotext.build()).rstrip("\n")
    return "\n".join([picture if coloured else str(plotext.uncolorize(picture)), "   ".join(legend), ""])


def _finite(curve: Curve) -> Curve:
    return [(x, max(-LARGEST, min(y, LARGEST))) for x, y in curve if math.isfinite(y)]


def _thinned(curve: Curve, columns: int) -> Curve:
    """Return the least and the greatest value of what one column shows: plotext takes its time for each point."""
    size = -(-len(curve) // columns)
    if size < 3:
        return curve
    parts = (curve[first : first + size] for first in range(0, len(curve), size))
    kept = ((min(part, key=_value), max(part, key=_value)) for part in parts)
    return [curve[0], *(point for pair in kept for point in sorted(pair)), curve[-1]]


def _value(point: tuple[float, float]) -> float:
    return point[1]


def _ticks(first: float, last: float) -> list[float]:
    """Return numbers, evenly spread."""
    return [first + (last - first) * i / (TICKS - 1) for i in range(TICKS)]
