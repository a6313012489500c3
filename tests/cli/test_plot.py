"""Curves in the terminal, drawn by plotext."""

import math

import pytest

from orchestrator.cli.plot import draw


def area(text):
    """The inner lines of a picture, without axes."""
    return [
        line.partition("┤")[2] or line.partition("│")[2] for line in text.splitlines() if "┤" in line or "│" in line
    ]


def test_a_curve_goes_from_its_first_to_its_last_point():
    rising = area(draw("accuracy", {"v1": [(0, 0.1), (1, 0.5), (2, 0.9)]}, 60, 12))
    assert len(rising) >= 8
    assert rising[0][:-1].rstrip()[-1] != " " and not rising[0][:20].strip()  # the top is reached at the right
    assert rising[-1][0] != " " and not rising[-1][30:-1].strip()


def test_title_size_axes_and_legend():
    text = draw("loss", {"v1": [(0, 1.0), (40, 0.25)]}, 60, 12)
    lines = text.splitlines()
    assert lines[0].strip() == "loss"
    assert len(lines) == 13 and max(map(len, lines)) == 60
    assert lines[-1].endswith(" v1")
    assert lines[-2].split() == ["0", "10", "20", "30", "40"]
    assert lines[2].strip().startswith("1┤")
    assert "\x1b" not in text


def test_without_colours_each_of_several_curves_has_its_letter():
    text = draw("loss", {"v1": [(0, 1.0), (9, 0.0)], "v2": [(0, 0.0), (9, 1.0)]}, 60, 12)
    first, last = area(text)[0], area(text)[-1]
    assert (first[0], first[-2]) == ("a", "b")
    assert (last[0], last[-2]) == ("b", "a")
    assert text.splitlines()[-1] == "a v1   b v2"


def test_what_is_not_finite_is_left_out():
    holes = [(0, 1.0), (1, math.nan), (2, math.inf), (3, 0.0)]
    assert draw("loss", {"v1": holes}, 60, 12) == draw("loss", {"v1": [holes[0], holes[3]]}, 60, 12)
    assert draw("loss", {"v1": [(0, math.nan)]}) == "loss: no finite values\n"
    assert draw("loss", {}) == "loss: no finite values\n"


@pytest.mark.parametrize(
    "curve",
    [
        [(3, 7.0)],
        [(3, 7.0), (4, 7.0)],
        [(0, 1e308), (1, -1e308)],
        [(0, 1e-300), (1, 0)],
        [(0.5, 1), (1.5, 2)],
        [(2**53, 1), (0, 2)],
    ],
    ids=["one", "flat", "huge", "tiny", "seconds", "long"],
)
@pytest.mark.parametrize("size", [(60, 12), (1, 1), (300, 90)], ids=str)
def test_any_numbers_and_sizes(curve, size):
    text = draw("a title", {"a name": curve}, *size)
    assert any(line.strip(" │") for line in area(text))


def test_of_many_points_the_extremes_stay():
    curve = [(float(step), 0.0) for step in range(100_000)]
    curve[54_321] = (54_321.0, 9.0)
    curve[70_000] = (70_000.0, -9.0)
    rows = area(draw("loss", {"v1": curve}, 60, 12))
    assert rows[0][:-1].strip() and rows[-1][:-1].strip()
    assert draw("loss", {"v1": curve[:300]}, 60, 12) == draw("loss", {"v1": [curve[0], curve[299]]}, 60, 12)


def test_names_cannot_harm_a_terminal():
    assert "\x1b" not in draw("a\x1b[2Jb", {"v1\x1b]0;x\x07": [(0, 1.0)]}, 60, 12)
