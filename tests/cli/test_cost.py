"""Prices and costs on the command line."""

import csv
import io
import json
import re

import pytest

from orchestrator.amounts import money


@pytest.fixture
def priced(spec, home):
    home.mkdir(exist_ok=True)
    (home / "prices.yaml").write_text("{currency: EUR, cpu: 3600, local: true}")
    return spec


def test_a_plan_says_what_it_costs_at_most(priced, project, mlctl):
    plan = mlctl("job", "create", priced, "--dry-run", "--set", "max_duration=2m")
    assert "Cost       at most 120.00 EUR, at 3,600.00 EUR per hour\n" in plan.stdout
    plan = mlctl("job", "create", priced, "--dry-run", "--set", "max_cost=90")
    assert "Cost       at most 90.00 EUR, at 3,600.00 EUR per hour; max_cost pays for 1m30s\n" in plan.stdout
    document = json.loads(mlctl("job", "create", priced, "--dry-run", "--set", "max_cost=90", "-o", "json").stdout)
    assert document["cost"] == {"at_most": 90, "seconds": 90, "per_hour": 3600, "currency": "EUR"}


def test_on_this_machine_nothing_costs(spec, mlctl):
    assert "Cost       nothing\n" in mlctl("job", "create", spec, "--dry-run").stdout
    assert mlctl("job", "create", spec, "--wait").returncode == 0
    assert "COST" not in mlctl("job", "list").stdout
    assert re.search(r"^total +1 +\S+ +0 CNY$", mlctl("cost").stdout, re.MULTILINE)


def test_what_cost_nothing_is_not_added_to_what_did(spec, home, mlctl):
    assert mlctl("job", "create", spec, "--wait").returncode == 0
    (home / "prices.yaml").write_text("{currency: EUR, cpu: 3600, local: true}")
    assert mlctl("job", "create", spec, "--wait", "--set", "max_duration=5m").returncode == 0
    assert re.search(r"^total +2 +\S+ +[0-9.]+ EUR$", mlctl("cost").stdout, re.MULTILINE)


def test_costs_are_shown_wherever_the_job_is(priced, mlctl):
    assert mlctl("job", "create", priced, "--wait").returncode == 0
    document = json.loads(mlctl("job", "get", "demo", "-o", "json").stdout)
    assert document["cost"] == {"amount": pytest.approx(document["duration"]), "per_hour": 3600, "currency": "EUR"}
    amount = money(document["cost"]["amount"], "EUR")
    shown = mlctl("job", "get", "demo").stdout
    assert re.search(rf"^Cost +{re.escape(amount)}, at 3,600.00 EUR per hour$", shown, re.MULTILINE)
    heading, line = mlctl("job", "list").stdout.splitlines()
    assert "COST" in heading.split() and amount in line
    report = mlctl("cost", "--since", "1d", "--by", "engine").stdout.splitlines()
    assert report[0].split() == ["ENGINE", "RUNS", "TIME", "COST"]
    assert report[1].startswith("plain-1 ") and amount in report[1]
    assert report[2].startswith("total ") and amount in report[2]


def test_a_report_for_programs(priced, home, mlctl):
    assert mlctl("job", "create", priced, "--wait").returncode == 0
    (home / "prices.yaml").write_text("local: true")
    assert mlctl("job", "create", priced, "--wait").returncode == 0
    done = mlctl("cost", "-o", "json")
    document = json.loads(done.stdout)
    assert done.stderr == "1 run with no known price: give sizes prices in prices.yaml (docs/cost.md)\n"
    assert [row["name"] for row in document["rows"]] == ["demo"]
    assert (document["total"]["runs"], document["total"]["unknown"], document["by"]) == (2, 1, "job")
    lines = list(csv.DictReader(io.StringIO(mlctl("cost", "-o", "csv").stdout)))
    assert [(line["job"], line["runs"], line["currency"]) for line in lines] == [("demo", "2", "EUR")]
    assert float(lines[0]["cost"]) == pytest.approx(document["total"]["cost"]["EUR"])
    table = mlctl("cost", "--by", "day", "-o", "markdown").stdout.splitlines()
    assert table[0] == "| DAY | RUNS | TIME | COST |"
    assert table[-1].startswith("| total | 2 |") and table[-1].endswith(" EUR and more |")


def test_nothing_to_report(mlctl):
    done = mlctl("cost")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing has run yet\n")
    assert json.loads(mlctl("cost", "-o", "json").stdout)["rows"] == []


@pytest.mark.parametrize("since", ["yesterday", "-1d", "30 d"])
def test_a_time_that_is_none(mlctl, since):
    done = mlctl("cost", f"--since={since}")
    assert done.returncode == 2
    assert "is not a duration" in done.stderr
