"""What jobs cost: recorded when they are made, limited by max_cost, summed up for who asks."""

import time

import pytest

from orchestrator.errors import PreflightError
from orchestrator.jobs.spending import Use, report
from orchestrator.runtime.status import Reason, State
from orchestrator.specs.prices import Price
from tests.jobs.conftest import Project

SECOND = 3600  # per hour: one a second
DAY = 86400
HOURLY = Price(24.0, "EUR")


@pytest.fixture
def priced(project: Project, home) -> Project:
    home.mkdir(exist_ok=True)
    (home / "prices.yaml").write_text(f"{{currency: EUR, cpu: {SECOND}, local: true}}")
    return project


def test_a_price_stays_as_it_was_when_the_version_was_made(priced, home):
    view = priced.run()
    assert view.record.price == Price(SECOND, "EUR")
    assert view.cost == pytest.approx(view.duration) and view.cost > 0
    (home / "prices.yaml").write_text(f"{{currency: CNY, cpu: {2 * SECOND}, local: true}}")
    assert priced.client.jobs.get("demo").cost == view.cost
    assert priced.run().record.price == Price(2 * SECOND, "CNY")
    totals = priced.client.costs().total
    assert totals.runs == 2 and totals.cost.keys() == {"EUR", "CNY"}


def test_all_nodes_cost(priced):
    plan = priced.client.jobs.plan(priced.write(resources={"cpus": 1, "nodes": 2}, max_duration="10s"))
    assert (plan.budget.price, plan.budget.at_most) == (Price(2 * SECOND, "EUR"), 20)


def test_this_machine_is_free_by_default(project):
    view = project.run(max_cost=1)
    assert (view.status.state, view.cost) == (State.SUCCEEDED, 0)
    assert project.client.costs().total.cost == {"CNY": 0}


def test_a_job_is_stopped_before_it_costs_more(priced):
    priced.script("time.sleep(60)")
    plan = priced.client.jobs.plan(priced.write(max_cost=1.5, max_duration="40s"))
    assert (plan.budget.seconds, plan.budget.at_most, plan.budget.limit) == (1, 1, "1.50 EUR")
    view = priced.run()
    assert (view.status.state, view.status.reason) == (State.FAILED, Reason.BUDGET_EXCEEDED)
    assert view.status.message == "the script ran as long as max_cost (1.50 EUR) pays for: 1s"
    assert "max_cost" in view.status.hint
    assert view.record.spec["max_duration"] == "40s"  # what was asked for is not changed


def test_a_budget_that_is_not_reached_changes_nothing(priced):
    priced.script("time.sleep(60)")
    view = priced.run(max_cost=1000, max_duration="1s")
    assert view.status.reason is Reason.TIMEOUT


@pytest.mark.parametrize(
    ("prices", "cost", "message"),
    [
        ("local: true", 5, "max_cost cannot be kept: no price is known of cpu.small"),
        ("{cpu: 3600, local: true}", 0.5, "max_cost of 0.50 CNY does not pay for one second at 3,600.00 CNY per hour"),
    ],
)
def test_a_budget_that_cannot_be_kept(project, home, prices, cost, message):
    home.mkdir(exist_ok=True)
    (home / "prices.yaml").write_text(prices)
    with pytest.raises(PreflightError, match=message):
        project.create(max_cost=cost)


def test_deleted_versions_stay_in_the_report(priced, monkeypatch):
    monkeypatch.setattr("orchestrator.jobs.pages.WORTH", 1)
    cost = sum(priced.run().cost for _ in range(2))
    before = priced.client.costs(by="engine")
    assert before.total.cost == {"EUR": pytest.approx(cost)}
    priced.client.jobs.delete("demo", "v1")
    for _ in range(2):  # then, from the pages that the first look made
        after = priced.client.costs(by="engine")
        assert after.total.cost == {"EUR": pytest.approx(cost)}
        assert (after.total.runs, [row.name for row in after.rows]) == (2, ["plain-1"])
    priced.client.jobs.delete("demo")
    assert priced.client.costs().total.cost == {"EUR": pytest.approx(cost)}
    assert priced.client.jobs.list() == []


def test_a_running_job_costs_meanwhile(priced):
    priced.script("time.sleep(60)")
    view = priced.wait_for_state(priced.create(), "RUNNING")
    first = priced.client.costs().total.cost["EUR"]
    time.sleep(0.01)
    assert priced.client.costs().total.cost["EUR"] > first
    priced.client.jobs.cancel(view.name)


def use(started, finished, *, name="a", price=HOURLY, kind="job", engine="e"):
    return Use(kind=kind, name=name, engine=engine, started=started, finished=finished, price=price)


def rows_of(uses, **options):
    return {row.name: (row.runs, row.seconds, row.cost) for row in report(uses, **options).rows}


def test_sums_by_job_and_engine():
    uses = [
        use(0, 3600),
        use(0, 1800, engine="f"),
        use(0, 3600, name="b", price=Price(1.0, "USD")),
        use(0, 3600, name="s", kind="service", engine=""),
        use(0, 60, name="c", price=None),
    ]
    assert rows_of(uses, by="job") == {
        "a": (2, 5400, {"EUR": 36}),
        "service s": (1, 3600, {"EUR": 24}),
        "b": (1, 3600, {"USD": 1}),
        "c": (1, 60, {}),
    }
    assert rows_of(uses, by="engine").keys() == {"e", "f", "services"}
    total = report(uses, by="job").total
    assert (total.runs, total.unknown, total.cost) == (5, 1, {"EUR": 60, "USD": 1})


def test_only_what_came_since_counts():
    assert rows_of([use(0, 3600), use(7200, 9000)], by="job", since=1800) == {"a": (2, 3600, {"EUR": 24})}
    assert rows_of([use(0, 3600)], by="job", since=4000) == {}


def test_days_are_split_at_midnight_here(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        noon = 20 * DAY - 8 * 3600 + 12 * 3600  # 1970-01-21 12:00 there
        found = rows_of([use(noon, noon + DAY + 3600)], by="day")
        assert found == {"1970-01-21": (1, DAY / 2, {"EUR": 288}), "1970-01-22": (1, DAY / 2 + 3600, {"EUR": 312})}
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_clock_that_went_backwards_costs_nothing():
    assert rows_of([use(100, 50)], by="day") == {"1970-01-01": (1, 0, {"EUR": 0})}
