"""A sweep whose trials are Jobs of a cluster: the same code, through its backend."""

from collections.abc import Iterator

import pytest

from orchestrator.sweeps.record import SweepState
from tests.jobs.conftest import project  # noqa: F401
from tests.kubernetes.standin import Standin
from tests.kubernetes.test_jobs import Lab, lab  # noqa: F401
from tests.sweeps.conftest import Sweeping
from tests.waiting import wait_until


@pytest.fixture
def sweeping(lab: Lab) -> Iterator[Sweeping]:  # noqa: F811
    made = Sweeping(lab)
    yield made
    made.kill()


def test_trials_run_side_by_side_and_one_that_goes_badly_is_ended(sweeping: Sweeping) -> None:
    sweeping.script("""
        for step in range(1, 4):
            measure(step, accuracy=arguments.rate)
        if arguments.rate < 0.5:
            time.sleep(600)
    """)
    view = sweeping.run(
        parameters={"rate": [0.9, 0.8, 0.1]},
        budget={"parallel": 2},
        early_stopping={"method": "median", "min_trials": 2},
    )
    assert (view.status.state, view.status.message) == (SweepState.SUCCEEDED, "")
    assert {trial.parameters["rate"]: trial.state.value for trial in view.trials} == {
        0.9: "SUCCEEDED",
        0.8: "SUCCEEDED",
        0.1: "PRUNED",
    }
    assert view.require_best().value == 0.9
    jobs = {job.version: job for job in sweeping.client.jobs.list("demo")}
    first, second, third = (jobs[trial.version] for trial in view.trials)
    assert {first.record.backend, second.record.backend} == {"kubernetes"}
    assert second.record.created < first.status.finished  # nobody waited for the first
    assert third.status.message.startswith("ended by sweep rates/V0001 (median): accuracy 0.1 at step")


def test_what_a_trial_waits_for_is_told(sweeping: Sweeping, standin: Standin) -> None:
    standin.images.break_off("example/plain", "not found")
    sweeping.create(parameters={"rate": [0.3]})
    sweeping.wait_for_trials(1)
    wait_until(lambda: "ImagePull: image example/plain cannot be pulled" in sweeping.view().trials[0].message)
    standin.images.repair("example/plain")
    (trial,) = sweeping.client.sweeps.wait("rates").trials
    assert (trial.state.value, trial.message) == ("SUCCEEDED", "")
