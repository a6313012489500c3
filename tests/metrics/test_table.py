"""The table of a version: small, and true in its first, best and last points."""

import math
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.metrics.goal import guess_goal
from orchestrator.metrics.table import POINTS, Progress, Series, Table, better, point


def series(values, goal="maximize", name="accuracy", source="log"):
    first = point(0, 0.0, values[0])
    made = Series(name=name, source=source, goal=goal, guessed=False, best=first, last=first)
    for start in range(0, len(values), 700):
        part = values[start : start + 700]
        made.extend([None] * len(part), 0.0, part)
    return made


@given(st.lists(st.floats(), min_size=1, max_size=3 * POINTS), st.sampled_from(["minimize", "maximize"]))
def test_a_series_keeps_first_best_and_last(values, goal):
    made = series(values, goal)
    finite = [value for value in values if math.isfinite(value)]
    assert made.count == len(values)
    assert len(made.points) <= POINTS
    assert made.points[0].step == 0
    assert made.curve()[-1].step == len(values) - 1
    if finite:
        assert made.best.value == (min(finite) if goal == "minimize" else max(finite))


@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_every_number_survives_the_store(values):
    table = Table(series=[series(values)])
    again = msgspec.json.decode(msgspec.json.encode(table), type=Table)
    for before, after in zip(values, again.series[0].points, strict=True):
        assert after.value == before or (math.isnan(before) and math.isnan(after.value))


def test_a_long_series_is_thinned_evenly():
    made = series([float(value) for value in range(10 * POINTS)])
    steps = [each.step for each in made.points]
    assert {after - before for before, after in pairwise(steps)} == {made.stride}
    assert POINTS / 2 <= len(steps) <= POINTS


def test_names_that_several_sources_use_are_told_apart():
    table = Table(series=[series([1.0], source="log"), series([2.0], source="events"), series([3.0], name="loss")])
    assert set(table.named()) == {"accuracy", "log:accuracy", "loss"}
    assert table.find("accuracy").last.value == 2.0
    assert table.find("log:accuracy").last.value == 1.0
    assert table.find("speed") is None


def test_a_series_without_a_finite_value_has_a_summary_all_the_same():
    summary = series([math.nan, math.inf]).summary()
    assert (summary.trend, summary.last.value) == ([], math.inf)


def test_a_summary_leaves_out_what_the_machine_does():
    table = Table(series=[series([math.nan, 0.5, 0.25]), series([9.0], name="cpu", source="system")])
    assert list(table.summaries()) == ["accuracy"]
    summary = table.summaries()["accuracy"]
    assert (summary.best.value, summary.last.value, summary.trend) == (0.5, 0.25, [0.5, 0.25])


@pytest.mark.parametrize(
    ("value", "than", "goal", "is_better"),
    [
        (1, 2, "minimize", True),
        (1, 2, "maximize", False),
        (math.nan, 1, "minimize", False),
        (1, math.nan, "maximize", True),
        (math.inf, 1, "maximize", False),
        (1, 1, "maximize", False),
    ],
)
def test_better(value, than, goal, is_better):
    assert better(value, than, goal) is is_better


@pytest.mark.parametrize(
    "name", ["loss", "val_loss", "train/crossEntropy", "Validation-RMSE", "top1_err", "log_loss", "softmaxloss"]
)
def test_losses_are_to_be_small(name):
    assert guess_goal(name) == "minimize"


@pytest.mark.parametrize(
    "name", ["accuracy", "val_acc", "auc", "f1", "Validation-accuracy", "reward", "bleu", "glossary"]
)
def test_the_rest_is_to_be_large(name):
    assert guess_goal(name) == "maximize"


def test_progress_tells_the_rest_from_the_pace_so_far():
    made = Progress(done=4, total=10, unit="epoch", source="log", since=100.0, begun=2, time=120.0)
    assert made.share == 0.4
    assert made.remaining == 60.0
    assert Progress(done=2, total=10, unit="epoch", source="log", since=100.0, begun=2, time=100.0).remaining is None
