"""What comes next, and what goes badly."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import PreflightError
from orchestrator.metrics.table import point
from orchestrator.specs.dimension import Dimension
from orchestrator.specs.sweep import Budget, EarlyStopping, Objective, SweepSpec
from orchestrator.sweeps.search import Search, require_optuna

CHOICE = Dimension(choice=["sgd", "adam", 3, True])
INTEGER = Dimension(integers=[1, 9], step=2)
LOGARITHM = Dimension(floats=[1e-4, 1.0], log=True)
SPACE = {"kind": CHOICE, "size": INTEGER, "rate": LOGARITHM, "share": Dimension(floats=[0, 1])}


def spec_of(algorithm="tpe", parameters=SPACE, trials=100, **fields) -> SweepSpec:
    budget = Budget() if algorithm == "grid" else Budget(trials=trials)
    objective = Objective(metric="accuracy")
    return SweepSpec(
        name="s", job="j", parameters=parameters, objective=objective, algorithm=algorithm, budget=budget, **fields
    )


def propose(search, number):
    found = search.propose(number)
    assert found is not None
    return found


def is_inside(parameters) -> bool:
    return (
        parameters["kind"] in CHOICE.choice
        and parameters["size"] in (1, 3, 5, 7, 9)
        and 1e-4 <= parameters["rate"] <= 1
        and 0 <= parameters["share"] <= 1
    )


@pytest.mark.parametrize("algorithm", ["random", "tpe", "cma-es"])
def test_what_is_proposed_is_in_the_space_and_plain(algorithm):
    search = Search(spec_of(algorithm), "maximize")
    for number in range(1, 31):
        parameters = propose(search, number)
        assert is_inside(parameters), parameters
        assert {type(value) for value in parameters.values()} <= {str, int, float, bool}
        search.tell(number, None if number % 7 == 0 else parameters["share"])


def test_a_grid_has_all_points_once_the_last_parameter_first():
    space = {"a": Dimension(choice=["x", "y"]), "b": Dimension(floats=[0, 0.3], step=0.1)}
    search = Search(spec_of("grid", space), "maximize")
    points = [propose(search, number) for number in range(1, 9)]
    assert points[:5] == [*({"a": "x", "b": b} for b in (0.0, 0.1, 0.2, 0.3)), {"a": "y", "b": 0.0}]
    assert search.propose(9) is None


def test_a_grid_goes_on_with_the_points_that_are_left():
    space = {"a": Dimension(integers=[1, 5])}
    search = Search(spec_of("grid", space), "maximize")
    search.adopt(1, {"a": 2})
    search.adopt(2, {"a": 5})
    assert [search.propose(number) for number in (3, 4, 5, 6)] == [{"a": 1}, {"a": 3}, {"a": 4}, None]


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
@settings(max_examples=10)
@given(cut=st.integers(1, 15), seed=st.integers(0, 1000))
def test_choices_do_not_depend_on_how_often_the_process_began_anew(algorithm, cut, seed):
    spec = spec_of(algorithm, {"rate": LOGARITHM}, seed=seed)

    def go_on(search, numbers):
        found = []
        for number in numbers:
            found.append(propose(search, number))
            search.tell(number, found[-1]["rate"])
        return found

    whole = go_on(Search(spec, "maximize"), range(1, 17))
    later = Search(spec, "maximize")
    for number, parameters in enumerate(whole[:cut], start=1):
        later.adopt(number, parameters)
        later.tell(number, parameters["rate"])
    assert go_on(later, range(cut + 1, 17)) == whole[cut:]


@pytest.mark.parametrize("algorithm", ["tpe", "cma-es"])
def test_it_finds_the_hill(algorithm):
    space = {"x": Dimension(floats=[-5, 5]), "y": Dimension(floats=[-5, 5])}
    search, values = Search(spec_of(algorithm, space), "minimize"), []
    for number in range(1, 81):
        if number == 40:  # somebody else goes on
            trials, search = values[:], Search(spec_of(algorithm, space), "minimize")
            for done, (parameters, value) in enumerate(trials, start=1):
                search.adopt(done, parameters)
                search.tell(done, value)
        parameters = propose(search, number)
        values.append((parameters, (parameters["x"] - 1) ** 2 + (parameters["y"] + 2) ** 2))
        search.tell(number, values[-1][1])
    assert min(value for _, value in values) < 0.5


@pytest.mark.parametrize(
    "stopping",
    ["median", EarlyStopping(method="asha", reduction=2), EarlyStopping(method="hyperband", max_steps=9, reduction=2)],
)
@pytest.mark.parametrize("algorithm", ["grid", "tpe"])
def test_a_trial_that_is_far_behind_goes_badly(algorithm, stopping):
    space = {"a": Dimension(integers=[1, 40])}
    search = Search(spec_of(algorithm, space, early_stopping=stopping), "maximize")
    for number in range(1, 9):
        propose(search, number)
        curve = [point(step, 0.0, 0.5 + step / 20 + number / 100) for step in range(1, 10)]
        search.goes_badly(number, curve)
        search.tell(number, curve[-1].value)
    behind = []
    for number in range(9, 13):  # of several ladders, one may be patient
        propose(search, number)
        behind.append(search.goes_badly(number, [point(step, 0.0, 0.01) for step in range(1, 10)]))
        search.tell(number, None, pruned=behind[-1])
    assert any(behind)
    propose(search, 13)
    assert not search.goes_badly(13, [point(step, 0.0, 0.9 + step) for step in range(1, 10)])


def test_points_that_come_again_or_make_no_sense_do_no_harm():
    search = Search(spec_of(early_stopping="median"), "maximize")
    propose(search, 1)
    points = [point(-1, 0.0, 1.0), point(1, 0.0, 0.5), point(1, 0.0, 0.4), point(2, 0.0, float("nan"))]
    assert not search.goes_badly(1, points)
    assert not search.goes_badly(1, points)
    search.tell(1, float("nan"))


def test_without_optuna_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(PreflightError) as caught:
        require_optuna(spec_of("tpe"))
    assert "pip install 'mlctl[sweep]'" in caught.value.hint
    require_optuna(spec_of("grid", {"a": Dimension(choice=[1])}))


def test_hyperband_finds_out_how_long_a_trial_is_and_ends_no_trial_that_is_ahead():
    search = Search(spec_of(early_stopping="hyperband"), "maximize")

    def curve(number, steps):
        return [point(step, 0.0, (1 - 0.5 / step) * (0.5 + number / 100)) for step in range(1, steps + 1)]

    for number in range(1, 5):  # at once
        propose(search, number)
    for steps in range(1, 12):
        for number in range(1, 5):
            assert not search.goes_badly(number, curve(number, steps))
    for number in range(1, 5):  # the first tells how long they are, when the others have one step to go
        search.goes_badly(number, curve(number, 12))
        search.tell(number, curve(number, 12)[-1].value)
    for number in range(5, 20):  # each is better at each step than all before it
        propose(search, number)
        assert not any(search.goes_badly(number, curve(number, steps)) for steps in range(1, 13)), number
        search.tell(number, curve(number, 12)[-1].value)
    behind = []
    for number in range(20, 26):
        propose(search, number)
        behind.append(search.goes_badly(number, [point(step, 0.0, 0.01) for step in range(1, 13)]))
        search.tell(number, None, pruned=behind[-1])
    assert any(behind)
