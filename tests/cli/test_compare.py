"""`mlctl job compare` on the command line."""

import csv
import io
import json
import re

import pytest

from orchestrator.metrics.table import Series, Summary, Table, point
from tests.jobs.lab import Lab


@pytest.fixture
def lab(tmp_path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def two(lab):
    """Two versions of `demo`, which have measured a loss."""
    for number, loss in ((1, 0.1), (2, 0.5)):
        first, last = point(0, 10.0, 1.0), point(1, 20.0, loss)
        told = Summary(goal="minimize", guessed=True, best=last, last=last)
        series = Series(name="loss", source="log", goal="minimize", guessed=True, best=last, last=last)
        series.points = [first, last]
        lab.version(parameters={"num_epochs": number}, metrics={"loss": told}, table=Table(series=[series]))
    return "demo"


def test_a_table(two, mlctl):
    done = mlctl("job", "compare", two)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["V0001", "V0002"]
    assert lines[1] == ["parameters.num_epochs", "1", "2"]
    assert lines[2] == ["state", "SUCCEEDED", "SUCCEEDED"]
    assert lines[4] == ["cost", "2.50", "EUR", "2.50", "EUR"]
    assert lines[-1] == ["loss", "(less", "is", "better,", "guessed)", "0.1", "*", "0.5"]
    assert done.stderr == "2 versions together: 5.0s, 5.00 EUR; * is the best\n"
    assert "engine" not in done.stdout
    assert re.search(r"^engine +plain-1 +plain-1$", mlctl("job", "compare", two, "--all").stdout, re.MULTILINE)


def test_many_versions_are_lines(two, lab, mlctl):
    for _ in range(5):
        lab.version()
    lines = mlctl("job", "compare", two).stdout.splitlines()
    assert lines[0].split()[:2] == ["VERSION", "parameters.num_epochs"]
    assert [line.split()[0] for line in lines[1:]] == [f"V000{number}" for number in range(1, 8)]


def test_other_forms(two, mlctl):
    document = json.loads(mlctl("job", "compare", two, "v2", "v1", "-o", "json").stdout)
    assert [one["version"] for one in document["versions"]] == ["V0002", "V0001"]
    assert document["facts"] == [{"section": "parameters", "name": "num_epochs", "values": ["2", "1"]}]
    metric = document["metrics"][0]
    assert (metric["name"], metric["goal"], metric["guessed"], metric["best"]) == ("loss", "minimize", True, [1])
    assert metric["values"][0]["best"] == {"step": 1, "time": 20.0, "value": 0.5}
    rows = list(csv.DictReader(io.StringIO(mlctl("job", "compare", two, "-o", "csv").stdout)))
    assert [(row["version"], row["parameters.num_epochs"], row["loss"]) for row in rows] == [
        ("V0001", "1", "0.1"),
        ("V0002", "2", "0.5"),
    ]
    lines = mlctl("job", "compare", two, "-o", "markdown").stdout.splitlines()
    assert lines[0] == "|  | V0001 | V0002 |" and lines[2] == "| parameters.num_epochs | 1 | 2 |"


def test_curves_over_one_another(two, mlctl):
    done = mlctl("job", "compare", two, "--plot", "loss")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "a V0001   b V0002"
    assert mlctl("job", "compare", two, "--plot", "los").returncode == 4


def test_a_difference_of_code(two, lab, mlctl, terminal):
    assert mlctl("job", "compare", two, "--diff").stderr == "the code is the same\n"
    lab.write("main.py", b"print('new')  # \x1b]0;title\x07")
    lab.version()
    assert "\n+print('new')" in mlctl("job", "compare", two, "v1", "v3", "--diff").stdout
    with terminal("job", "compare", two, "v1", "v3", "--diff") as process:
        process.expect(r"\x1b\[32m\+print\('new'\)  # \x1b\[0m")


@pytest.mark.parametrize("options", [["--diff", "--plot", "x"], ["--diff", "-o", "csv"], ["--plot", "x", "-o", "json"]])
def test_options_that_exclude_each_other(mlctl, options):
    done = mlctl("job", "compare", "demo", *options)
    assert done.returncode == 2 and "exclude each other" in done.stderr
