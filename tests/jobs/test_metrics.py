"""What a script measures, from its first line to the record."""

import json

import pytest

from orchestrator.backends.local.usage import ScriptUsage
from orchestrator.errors import NotFoundError
from orchestrator.jobs.metrics import SHOWN, pick_metrics, unseen
from orchestrator.metrics.kinds import Source
from orchestrator.metrics.table import Series, Table, point
from orchestrator.runtime.status import State
from tests.jobs.conftest import run_of
from tests.waiting import wait_until

TRAIN = """
    import json, mlctl
    for step in range(1, 6):
        print(f"step {step}: right: {step / 10}", flush=True)
        with open(train_url + "metrics.jsonl", "a") as file:
            file.write(json.dumps({"step": step, "val_loss": 1 / step}) + chr(10))
        mlctl.log(distance=float(5 - step), step=step)
"""
FIELDS = {
    "metrics": {"right": r"step (?P<step>\d+): right: (?P<value>\S+)", "never": r"never: (\S+)"},
    "goals": {"distance": "minimize"},
    "parameters": {"max_steps": 5},
}


@pytest.mark.usefixtures("each_store")
def test_metrics_of_a_job_that_has_ended(project):
    project.script(TRAIN)
    view = project.run(**FIELDS)
    assert view.status.state is State.SUCCEEDED
    assert {name: (each.last.value, each.best.value) for name, each in view.status.metrics.items()} == {
        "right": (0.5, 0.5),
        "distance": (0.0, 0.0),
        "val_loss": (0.2, 0.2),
    }
    assert next(iter(view.status.metrics)) == "distance", "what the spec has a goal for comes first"
    assert view.status.progress.share == 1
    table = project.client.jobs.metrics("demo")
    assert [(point.step, point.value) for point in table.find("right").points][:2] == [(1, 0.1), (2, 0.2)]
    assert table.find("distance").goal == "minimize"
    assert not table.find("distance").guessed
    assert table.notes == [r"no line of the log has a number for `never`: its pattern is never: (\S+)"]
    with pytest.raises(NotFoundError, match="did you mean `right`") as error:
        pick_metrics("demo/V0001", table, ["rigth"])
    assert "distance, val_loss, right" in error.value.hint


def test_metrics_while_it_runs_and_of_one_that_was_killed(project):
    project.script(
        """
        print("step 1: right: 0.25", flush=True)
        while not os.path.exists(train_url + "go"):
            time.sleep(0.05)
        """
    )
    view = project.create(**FIELDS)
    wait_until(lambda: project.client.jobs.get("demo").status.metrics)
    assert project.client.jobs.get("demo").status.metrics["right"].last.value == 0.25
    assert project.client.jobs.metrics("demo").find("right").count == 1
    usage = ScriptUsage(view.record.run, 0, gpus=0)
    first, second = usage.sample(), usage.sample()
    assert first["memory"] > 1e6
    assert second["cpu"] >= 0
    project.client.jobs.cancel("demo")
    view = project.wait_for_state(view, "CANCELLED")
    assert view.status.metrics["right"].last.value == 0.25
    assert project.client.jobs.metrics("demo").find("right").count == 1


def test_metrics_survive_a_killed_supervisor(project):
    import os

    from orchestrator.backends.local.rundir import holder

    project.script(
        """
        print("step 1: right: 0.25", flush=True)
        while not os.path.exists(train_url + "go"):
            time.sleep(0.05)
        print("step 2: right: 0.75", flush=True)
        """
    )
    view = project.create(**FIELDS)
    wait_until(lambda: project.client.jobs.metrics("demo").find("right"))
    os.kill(holder(run_of(view)), 9)
    wait_until(lambda: project.client.jobs.get("demo").status.state.finished)
    table = project.client.jobs.metrics("demo")
    assert [point.value for point in table.find("right").points] == [0.25]


def test_a_deleted_version_has_none(project):
    project.script(TRAIN)
    project.run(**FIELDS)
    project.client.jobs.delete("demo")
    with pytest.raises(NotFoundError):
        project.client.jobs.metrics("demo")


def test_the_table_is_small(project):
    project.script("for step in range(20000): print(f'step {step}: right: {step}')")
    project.run(**FIELDS)
    data = project.client.store.get("jobs/demo/V0001/metrics.json").data
    assert len(data) < 60_000
    assert json.loads(data)["series"][0]["count"] == 20000


def measured(*names: str, source: Source = "log") -> Table:
    made = point(1, 1.0, 1.0)
    return Table(
        series=[Series(name=name, source=source, goal="maximize", guessed=True, best=made, last=made) for name in names]
    )


def test_of_a_metric_that_was_never_seen_those_are_named_that_were():
    error = unseen("los", "demo/V0001", [measured("loss"), measured("top5", "loss"), measured("cpu", source="system")])
    assert error.message == "the metric `los` was never seen in demo/V0001; did you mean `loss`?"
    assert error.hint == "seen were loss, top5"
    assert unseen("cpus", "demo/V0001", [measured("cpu", source="system")]).message.endswith("did you mean `cpu`?")
    assert unseen("loss", "demo/V0001", [Table()]).hint == "none was seen at all (docs/metrics.md)"
    many = unseen("loss", "demo/V0001", [measured(*(f"m{number}" for number in range(SHOWN + 5)))]).hint
    assert many.endswith("m4 and 5 more")
