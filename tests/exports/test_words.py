"""What a job version is in MLflow's words."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.exports.words import Measured, metric_names, metrics_of, parameters_of, state_of, tags_of
from orchestrator.jobs.record import JobRecord
from orchestrator.jobs.view import JobView
from orchestrator.metrics.table import Series, Table, point
from orchestrator.runtime.status import State, Status
from orchestrator.specs.prices import Price

ALLOWED = re.compile(r"[\w\-. :/]+", re.ASCII)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("loss", "loss"),
        ("train/loss", "train/loss"),
        ("accuracy(%)", "accuracy___"),
        ("Top-5 acc: val", "Top-5 acc: val"),
        ("/loss", "loss"),
        ("a//b/../c/.", "a/b/c"),
        ("..", "_"),
        ("Verlust größer", "Verlust gr__er"),
    ],
)
def test_names_of_metrics(name, plain):
    assert metric_names({name: False}) == {name: plain}


def test_names_of_the_machine_and_of_the_script_stay_apart():
    assert metric_names({"cpu": True, "system/cpu": False, "a?": False, "a!": False}) == {
        "cpu": "system/cpu",
        "system/cpu": "system/cpu_2",
        "a?": "a_",
        "a!": "a__2",
    }


@given(st.dictionaries(st.text(max_size=20), st.booleans(), max_size=20))
def test_any_names_become_ones_that_mlflow_takes(names):
    found = metric_names(names)
    assert found.keys() == names.keys() and len(set(found.values())) == len(found)
    for name in found.values():
        assert ALLOWED.fullmatch(name) and not name.startswith("/")
        assert all(part.strip(". ") for part in name.split("/"))


def test_curves_have_steps_and_times():
    series = Series(name="loss", source="log", goal="minimize", guessed=True, best=point(0, 0, 1), last=point(0, 0, 1))
    for step, value in enumerate([1.0, math.nan, -math.inf]):
        series.extend([step], 10.25 + step, [value])
    found = metrics_of(Table(series=[series]))
    assert [(one.name, one.time, one.step) for one in found] == [("loss", 10250 + 1000 * n, n) for n in range(3)]
    assert math.isnan(found[1].value) and found[2].value == -math.inf


def test_what_a_database_makes_of_a_value_is_the_same_value():
    for value, kept in ((math.inf, 1.7976931348623157e308), (-math.inf, -1.7976931348623157e308), (math.nan, math.nan)):
        assert Measured("a", value, 1, 2).same() == Measured("a", kept, 1, 2).same()
    assert Measured("a", math.nan, 1, 2).same() != Measured("a", math.inf, 1, 2).same()


def view(**fields):
    record = JobRecord(name="demo", number=3, price=Price(3600.0, "EUR"), spec={"boot_file": "train.py"}, **fields)
    return JobView(record, Status(state=State.FAILED, started=10.0, finished=12.5, message="x" * 9000))


def test_tags_tell_where_it_comes_from_and_are_not_too_long():
    tags = tags_of(view(author="me@here"), "file:///store")
    assert (
        tags.items()
        >= {
            "mlctl.version": "demo/V0003",
            "mlctl.store": "file:///store",
            "mlctl.state": "FAILED",
            "mlctl.cost": "2.50 EUR",
            "mlflow.user": "me@here",
            "mlflow.source.name": "train.py",
        }.items()
    )
    assert len(tags["mlctl.message"]) == 5000
    assert "mlctl.data" not in tags and all(tags.values())


def test_parameters_are_text():
    assert parameters_of(view(parameters={"lr": 0.1, "flag": True, "long": "y" * 9000})) == {
        "lr": "0.1",
        "flag": "True",
        "long": "y" * 6000,
    }


def test_every_state_is_one_of_mlflow():
    found = {state: state_of(JobView(JobRecord(name="demo", number=1), Status(state=state))) for state in State}
    assert set(found.values()) == {"SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"}
    assert (found[State.CANCELLED], found[State.QUEUED]) == ("KILLED", "SCHEDULED")
