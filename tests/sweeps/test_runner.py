"""What a sweep's process does and when, by a clock that it is given."""

from types import SimpleNamespace

import pytest

from orchestrator.jobs import view
from orchestrator.jobs.record import JobRecord, version_prefix
from orchestrator.runtime.status import State, Status
from orchestrator.runtime.task import CANCEL
from orchestrator.specs.prices import Price
from orchestrator.store import open_store
from orchestrator.sweeps.record import SweepRecord, TrialState, read_trials
from orchestrator.sweeps.runner import Runner

SPEC = {
    "name": "rates",
    "job": "job.yaml",
    "algorithm": "grid",
    "parameters": {"rate": list(range(40))},
    "objective": {"metric": "accuracy", "goal": "maximize"},
}


class Cluster:
    """A place elsewhere whose trials run from their creation on, and cost 1 a second; some end by themselves.

    Args:
        store: Where requests to end them are left.
        making: Seconds that it takes to make a trial.
        lasting: Seconds that every second trial runs; the others do not end.
    """

    name, place = "kubernetes", "there"

    def __init__(self, store, making, lasting):
        self.now, self._store, self._making, self._lasting = 1000.0, store, making, lasting
        self._started, self._ends = {}, {}

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def create(self, parameters, sweep):
        number = len(self._started) + 1
        self._started[str(number)] = self.now
        if number % 2:
            self._ends[str(number)] = self.now + self._lasting
        self.now += self._making
        return JobRecord(name="demo", number=number, run=str(number), price=Price(3600, "EUR"), sweep=sweep)

    def last_known(self, run):
        status = Status(state=State.RUNNING, started=self._started[run], heartbeat=self.now)
        if self._ends.get(run, self.now + 1) <= self.now:
            status.state, status.finished = State.FAILED, self._ends[run]
        elif self._store.head(version_prefix("demo", int(run)) + CANCEL):
            status.state, status.finished = State.CANCELLED, self.now
            self._ends[run] = self.now
        return status


@pytest.mark.parametrize(
    ("money", "making", "lasting", "over"),
    [
        (20.5, 0.0, 100.0, 0.5),  # it is used up between two looks, which are a second apart
        (9.0, 0.5, 2.2, 2.0),  # while trials are still being made
    ],
)
def test_no_more_money_is_spent_than_the_trials_cost_in_a_moment(tmp_path, monkeypatch, money, making, lasting, over):
    store = open_store(tmp_path.as_uri())
    cluster = Cluster(store, making, lasting)
    monkeypatch.setattr(view, "time", cluster)
    record = SweepRecord(
        name="rates",
        number=1,
        digest="",
        created=0.0,
        author="me@here",
        spec={**SPEC, "budget": {"parallel": 8, "max_cost": money, "failures": 100}},
        goal="maximize",
        template=JobRecord(name="demo", number=0),
    )
    lease = SimpleNamespace(require=lambda: None)
    ended = Runner(record, store, cluster, cluster, lease, clock=cluster.time, sleep=cluster.sleep).run()
    assert ended.message.startswith(f"its max_cost, {money:g}, was used up before all trials were made")
    trials = read_trials(store, record)
    assert TrialState.RUNNING not in {trial.state for trial in trials}
    assert money <= sum(trial.cost for trial in trials) < money + over, [trial.cost for trial in trials]
