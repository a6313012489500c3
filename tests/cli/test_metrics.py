"""mlctl job metrics, and what other commands show of metrics."""

import csv
import io
import json

import pytest

from orchestrator.cli.metrics_view import BARS, progress, sparkline
from orchestrator.metrics.table import Progress

SCRIPT = """
    for epoch in range(4):
        print(f"Epoch[{epoch}] Validation-accuracy={0.5 + epoch / 10}", flush=True)
    print("Epoch[4] Validation-accuracy=nan")
"""


@pytest.fixture
def trained(project, mlctl):
    (project.folder.parent / "engines/plain-1/engine.yaml").open("a").write("metrics: [mxnet]\n")
    project.script(SCRIPT)
    assert mlctl("job", "create", project.write(), "--wait").returncode == 0


def test_the_table(trained, mlctl):
    done = mlctl("job", "metrics", "demo")
    heading, line = done.stdout.splitlines()[:2]
    assert heading.split() == ["METRIC", "LAST", "BEST", "AT", "GOAL", "POINTS", "TREND"]
    assert line.split() == ["validation_accuracy", "nan", "0.8", "3", "max?", "5", "▁▃▆█"]


def test_for_programs(trained, mlctl):
    told = json.loads(mlctl("job", "metrics", "demo", "-o", "json").stdout)["metrics"]["validation_accuracy"]
    assert (told["best"]["step"], told["best"]["value"], told["last"]["value"]) == (3, 0.8, "NaN")
    assert (told["count"], told["guessed"]) == (5, True)
    rows = list(csv.DictReader(io.StringIO(mlctl("job", "metrics", "demo", "-o", "csv").stdout)))
    assert [row["value"] for row in rows] == ["0.5", "0.6", "0.7", "0.8", "nan"]


def test_the_curve(trained, mlctl):
    done = mlctl("job", "metrics", "demo", "--plot")
    assert "validation_accuracy" in done.stdout
    assert "0.8" in done.stdout


def test_a_metric_that_was_never_seen(trained, mlctl):
    done = mlctl("job", "metrics", "demo", "validation_acuracy")
    assert done.returncode == 4
    assert "did you mean `validation_accuracy`?" in done.stderr
    assert "seen were validation_accuracy" in done.stderr


def test_lists_and_details(trained, mlctl):
    assert "validation_accuracy nan ▁▃▆█" in mlctl("job", "list").stdout
    assert "validation_accuracy nan (best 0.8, at 3)" in mlctl("job", "get", "demo").stdout


def test_a_job_without_metrics(project, mlctl):
    assert mlctl("job", "create", project.write(), "--wait").returncode == 0
    done = mlctl("job", "metrics", "demo")
    assert (done.returncode, done.stdout) == (0, "")
    assert "demo/V0001 measured nothing: mlctl reads the log" in done.stderr


def test_a_pattern_that_is_none(project, mlctl):
    done = mlctl("job", "create", project.write(metrics={"loss": "loss: (.*)("}))
    assert done.returncode == 2
    assert "`metrics` has a pattern for `loss` that is not a regular expression: missing )" in done.stderr


def test_sparklines():
    assert sparkline([1.0]) == ""
    assert sparkline([1.0, 1.0]) == BARS[0] * 2
    assert sparkline([0.0, 1.0]) == BARS[0] + BARS[-1]
    assert len(sparkline([float(x) for x in range(100)])) == 12
    assert sparkline([-1e308, 1e308]) == BARS[0] * 2


def test_progress_in_words():
    made = Progress(done=4, total=10, unit="epoch", source="log", since=0.0, begun=0, time=80.0)
    assert progress(made, finished=False) == "40 %, epoch 4 of 10, 2m 00s left"
    assert progress(made, finished=True) == "40 %, epoch 4 of 10"
    assert progress(None, finished=False) == ""
