"""Versions beside each other: in what they differ, what they measured, how their code differs."""

import math

import msgspec
import pytest

from orchestrator.errors import NotFoundError, UsageError
from orchestrator.jobs.compare import Metric, compare, curves
from orchestrator.jobs.jobs import Jobs
from orchestrator.metrics.table import Series, Summary, Table, point
from tests.jobs.lab import Lab


@pytest.fixture
def lab(tmp_path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def three(lab) -> Lab:
    lab.version(parameters={"lr": 0.1, "steps": 5})
    lab.write("main.py", b"print('other')")
    lab.version(parameters={"lr": 0.2, "steps": 5})
    lab.write("more.txt", b"more")
    lab.version(parameters={"lr": 0.2, "steps": 5, "momentum": 0.9}, max_duration="2h")
    return lab


def measured(lab, *metrics) -> list[Metric]:
    """Compare versions that have measured this."""
    for one in metrics:
        lab.version(metrics=one)
    return lab.client.compare(["demo"]).metrics


def summary(best, *, goal="minimize", guessed=True):
    return Summary(goal=goal, guessed=guessed, best=point(1, 10.0, best), last=point(2, 20.0, 9))


def differences(comparison):
    return {fact.label: fact.values for fact in comparison.differences()}


def test_only_differences_and_everything(three):
    found = three.client.compare(["demo"])
    assert found.names() == ["V0001", "V0002", "V0003"]
    told = differences(found)
    first, second, third = told.pop("code: main.py")
    assert first != second == third
    assert told.pop("code: more.txt")[:2] == ["-", "-"]
    assert told == {
        "parameters.lr": ["0.1", "0.2", "0.2"],
        "parameters.momentum": ["-", "-", "0.9"],
        "max_duration": ["1h", "1h", "2h"],
    }
    assert {fact.label: fact.values for fact in found.facts}["parameters.steps"] == ["5", "5", "5"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["demo"], ["demo/V0001", "demo/V0002", "demo/V0003"]),
        (["demo", "v3", "1"], ["demo/V0003", "demo/V0001"]),
        (["demo", "latest", "V0001"], ["demo/V0003", "demo/V0001"]),
        (["demo/v2", "demo/latest"], ["demo/V0002", "demo/V0003"]),
        (["demo", "v2", "other"], ["demo/V0002", "other/V0001"]),
        (["demo/v1", "v2", "other/v1"], ["demo/V0001", "demo/V0002", "other/V0001"]),
        (["demo", "v1", "v1", "v2"], ["demo/V0001", "demo/V0002"]),
        (["demo", "v1", "v2", "v3", "v1", "latest"], ["demo/V0001", "demo/V0002", "demo/V0003"]),
    ],
    ids=" ".join,
)
def test_how_versions_are_named(three, written, meant):
    three.version(name="other")
    found = three.client.compare(written)
    assert [view.ref for view in found.views] == meant
    alone = len({ref.partition("/")[0] for ref in meant}) == 1
    assert found.names() == [ref.removeprefix("demo/") if alone else ref for ref in meant]


@pytest.mark.parametrize(
    ("written", "error", "message"),
    [
        (["demo"], UsageError, "demo/V0001 alone cannot be compared"),
        (["demo", "v1", "1"], UsageError, "demo/V0001 alone cannot be compared"),
        (["demo", "v1", "v9"], NotFoundError, "job demo has no version V0009; it has V0001"),
        (["demo", "v1", "v2", "v3", "v4", "v5"], NotFoundError, "job demo has no version V0002"),
        (["demi", "v1", "v2"], NotFoundError, "there is no job 'demi'; did you mean demo"),
        (["demi"], NotFoundError, "there is no job 'demi'"),
        (["demo", "v0"], NotFoundError, "there is no job 'v0'"),
        (["demo", "Version1"], UsageError, "'Version1' cannot be the name of a job"),
        (["demo/x1", "demo/v1"], UsageError, "'x1' is not a version"),
    ],
    ids=str,
)
def test_versions_that_are_not_there(lab, written, error, message):
    lab.version()
    with pytest.raises(error, match=message):
        lab.client.compare(written)


def test_the_best_of_each_metric_is_marked(lab):
    same = summary(0.9, goal="maximize")
    found = measured(
        lab,
        {"loss": summary(0.5), "accuracy": same, "wer": summary(3)},
        {"loss": summary(0.2), "accuracy": same, "score": summary(math.nan)},
        {"loss": summary(0.2), "accuracy": same, "score": summary(7)},
    )
    assert {metric.name: metric.best for metric in found} == {
        "loss": [1, 2],
        "accuracy": [],  # all are alike
        "wer": [0],
        "score": [2],
    }
    values = next(metric.values for metric in found if metric.name == "wer")
    assert [value and value.best.value for value in values] == [3, None, None]


def test_what_a_spec_declares_goes_before_what_is_guessed(lab):
    guessed, said = summary(0.5, goal="maximize"), summary(0.2, goal="minimize", guessed=False)
    metric = measured(lab, {"gain": guessed}, {"gain": said})[0]
    assert (metric.goal, metric.guessed, metric.best) == ("minimize", False, [1])


def test_nothing_finite_is_best(lab):
    assert measured(lab, {"loss": summary(math.inf)}, {"loss": summary(math.nan)})[0].best == []


def test_another_engine_has_another_environment_of_course(three):
    one, other = three.client.compare(["demo", "v1", "v2"]).views
    other.record.engine = msgspec.structs.replace(other.record.engine, environment="changed")
    assert differences(compare([one, other]))["environment"][1] == "changed"
    other.record.engine = msgspec.structs.replace(other.record.engine, name="plain-2")
    told = differences(compare([one, other]))
    assert told["engine"] == ["plain-1", "plain-2"] and "environment" not in told


def test_time_and_cost_together(three):
    found = three.client.compare(["demo"])
    assert (found.total().seconds, found.total().cost) == (7.5, {"EUR": 7.5})


def test_the_difference_of_the_code(three):
    assert three.diff("v1", "v2").splitlines()[:2] == ["--- demo/V0001/main.py", "+++ demo/V0002/main.py"]
    assert "-print('hello')\n\\ No newline at end of file\n+print('other')\n" in three.diff("v1", "v2")
    assert three.diff("v2", "v3") == (
        "--- /dev/null\n+++ demo/V0003/more.txt\n@@ -0,0 +1 @@\n+more\n\\ No newline at end of file\n"
    )
    assert three.diff("v3", "v2").splitlines()[:2] == ["--- demo/V0003/more.txt", "+++ /dev/null"]
    assert three.diff("v2", "v1", "v3").count("\n+++ demo/") == 2  # each with the first


def test_files_that_have_no_lines(lab):
    lab.write("weights", b"\x00\x01")
    lab.write("latin", "é".encode("latin-1"))
    lab.write("large", b"x" * (1 << 20) + b"y")
    (lab.code / "link").symlink_to("weights")
    (lab.code / "empty").mkdir()
    lab.version()
    for name in ("weights", "latin", "large"):
        lab.write(name, b"now\n")
    (lab.code / "link").unlink()
    (lab.code / "link").symlink_to("latin")
    (lab.code / "empty").rmdir()
    lab.version()
    told = lab.diff()
    for name in ("weights", "latin", "large"):
        assert f"Binary or large files demo/V0001/{name} and demo/V0002/{name} differ\n" in told
    assert "\n--> weights\n+-> latin\n" in told


def test_code_that_is_gone(three):
    three.client.store.delete([three.client.jobs.get("demo", "v1").record.code.key])
    with pytest.raises(NotFoundError, match="the code of demo/V0001 is not in the store any more"):
        three.diff("v2", "v1")
    assert "code: main.py" in differences(three.client.compare(["demo"]))


def series(name, *values):
    found = Series(
        name=name, source="log", goal="minimize", guessed=True, best=point(0, 0, values[0]), last=point(0, 0, 0)
    )
    for step, value in enumerate(values):
        found.extend([step], 100.0 + step, [value])
    return found


def test_curves(lab):
    lab.version(table=Table(series=[series("loss", 3, 2, 1), series("top5", 1)]))
    lab.version()
    lab.version(table=Table(series=[series("loss", 5)]))
    jobs, views = lab.client.jobs, lab.client.compare(["demo"]).views
    assert curves(jobs, views, "loss") == [[(0, 3), (1, 2), (2, 1)], [], [(0, 5)]]
    with pytest.raises(
        NotFoundError, match="`los` was never seen in any of these versions; did you mean `loss`"
    ) as caught:
        curves(jobs, views, "los")
    assert caught.value.hint == "seen were loss, top5"
    with pytest.raises(NotFoundError, match="`loss` was never seen in any"):
        curves(jobs, views[1:2], "loss")


def test_many_versions_are_not_asked_for_one_by_one(three, monkeypatch):
    monkeypatch.setattr("orchestrator.jobs.compare.FEW", 1)
    monkeypatch.setattr(Jobs, "get", None)
    assert [view.version for view in three.client.compare(["demo", "latest", "v1"]).views] == ["V0003", "V0001"]
