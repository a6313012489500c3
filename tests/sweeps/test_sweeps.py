"""Whole sweeps: their trials, their ends, and what survives whom."""

import random
import time

import pytest

from orchestrator.client import Client
from orchestrator.config import Context, add_context, home_dir
from orchestrator.errors import ConflictError, NotFoundError, PreflightError
from orchestrator.sweeps import lease
from orchestrator.sweeps.record import SweepState, TrialState
from tests.jobs.conftest import processes_of
from tests.waiting import wait_until

SLEEPER = "\nmeasure(1, accuracy=arguments.rate)\nprint('started', flush=True)\ntime.sleep(600)\n"


def states(view):
    return {trial.number: trial.state.value for trial in view.trials}


def test_each_trial_is_a_version_and_the_best_is_found(sweeping):
    view = sweeping.run()
    assert (view.status.state, view.status.message) == (SweepState.SUCCEEDED, "")
    assert view.best.parameters == {"rate": 0.3} and view.best.value == 1
    assert [trial.parameters["rate"] for trial in view.trials] == [0.1, 0.2, 0.3, 0.4]
    jobs = sweeping.client.jobs.list("demo")
    assert {(job.record.sweep.name, job.record.sweep.version, job.record.sweep.trial) for job in jobs} == {
        ("rates", "V0001", number) for number in range(1, 5)
    }
    assert {job.version: job.record.parameters for job in jobs} == {
        trial.version: trial.parameters for trial in view.trials
    }
    # Code is there once, and once the first trial's record is there nobody reads the folder any more.
    assert len({job.record.code.sha256 for job in jobs}) == 1
    assert len(list((home_dir() / "store" / "code").iterdir())) == 1


def test_a_sweep_that_has_succeeded_begins_anew_and_is_not_resumed(sweeping):
    sweeping.run(parameters={"rate": [0.3]})
    with pytest.raises(ConflictError, match="has come to its end"):
        sweeping.client.sweeps.resume("rates")
    assert sweeping.run(parameters={"rate": [0.3]}).record.version == "V0002"
    assert [view.record.version for view in sweeping.client.sweeps.list()] == ["V0002"]
    assert sweeping.client.sweeps.get("rates", "v1").best.version == "V0001"
    with pytest.raises(NotFoundError, match="has no version V0003; its latest is V0002"):
        sweeping.client.sweeps.get("rates", "v3")
    with pytest.raises(NotFoundError, match="did you mean rates"):
        sweeping.client.sweeps.get("rate")


def test_a_trial_that_fails_is_said_and_the_sweep_goes_on(sweeping):
    sweeping.script(
        """
        if arguments.rate == 0.1:
            sys.exit("no such rate")
        if arguments.rate == 0.2:
            measure(1, loss=3, precision=1)
        elif arguments.rate == 0.3:
            measure(1, accuracy=float("nan"))
        else:
            measure(1, accuracy=0.9)
        """
    )
    view = sweeping.run(parameters={"rate": [0.1, 0.4, 0.2, 0.5, 0.3]}, budget={"parallel": 1})
    assert view.status.state is SweepState.SUCCEEDED
    assert states(view) == {1: "FAILED", 2: "SUCCEEDED", 3: "FAILED", 4: "SUCCEEDED", 5: "FAILED"}
    assert view.best.number == 2
    said = {trial.number: trial.message for trial in view.trials}
    assert "UserError" in said[1]
    assert said[3] == "the metric `accuracy` was never seen in demo/V0003; seen were loss, precision"
    assert said[5] == "its accuracy is nan in the end"


def test_failures_one_after_the_other_end_it_with_the_reason(sweeping):
    sweeping.script("sys.exit('never')")
    view = sweeping.run(budget={"parallel": 1, "failures": 2})
    assert view.status.state is SweepState.FAILED
    assert view.status.message.startswith("2 failed trials in a row: trial 2: UserError")
    assert states(view) == {1: "FAILED", 2: "FAILED"}
    sweeping.script("measure(1, accuracy=1)")
    assert sweeping.run(budget={"parallel": 1, "failures": 2}).record.version == "V0002"  # it is other code


@pytest.mark.journey  # seconds; what is alike is tested always
def test_a_killed_script_is_a_failed_trial(sweeping):
    sweeping.script("if arguments.rate == 0.1:\n    os.kill(os.getpid(), 9)\nmeasure(1, accuracy=1)")
    view = sweeping.run()
    assert states(view) == {1: "FAILED", 2: "SUCCEEDED", 3: "SUCCEEDED", 4: "SUCCEEDED"}
    assert "SIGKILL" in view.trials[0].message


def test_stop_ends_the_trials_and_resume_tries_their_parameters_again(sweeping):
    sweeping.script(
        "measure(1, accuracy=1)\nif not os.path.exists(os.environ['GO']):" + SLEEPER.replace("\n", "\n    ")
    )
    go = sweeping.project.folder / "go"
    sweeping.project.write(env={"GO": str(go)})
    sweeping.create()
    sweeping.wait_for_trials(2)
    view = sweeping.client.sweeps.stop("rates")
    assert view.status.state is SweepState.STOPPED
    assert states(view) == {1: "CANCELLED", 2: "CANCELLED"}
    job = sweeping.client.jobs.get("demo", "v1")
    assert (job.status.state, job.status.reason) == ("CANCELLED", "CancelledBySweep")
    assert job.status.message == "ended with sweep rates/V0001: somebody stopped it"
    go.touch()
    sweeping.client.sweeps.resume("rates")
    view = sweeping.client.sweeps.wait("rates")
    assert view.status.state is SweepState.SUCCEEDED
    assert states(view) == {1: "CANCELLED", 2: "CANCELLED"} | dict.fromkeys(range(3, 7), "SUCCEEDED")
    assert [trial.parameters["rate"] for trial in view.trials] == [0.1, 0.2, 0.1, 0.2, 0.3, 0.4]


def test_killed_at_any_moment_and_gone_on_with_no_trial_is_lost_or_made_twice(sweeping):
    fields = {"parameters": {"rate": {"float": [0, 1]}}, "algorithm": "random", "budget": {"trials": 12, "parallel": 3}}
    sweeping.create(**fields)
    chance = random.Random(7)
    for _ in range(5):
        time.sleep(chance.uniform(0.5, 2.5))  # it does not matter when: that is the point
        sweeping.kill()
        if sweeping.view().status.state.finished:
            break
        sweeping.create(**fields)
    view = sweeping.client.sweeps.wait("rates")
    assert (view.record.version, view.status.state) == ("V0001", SweepState.SUCCEEDED)
    assert states(view) == dict.fromkeys(range(1, 13), "SUCCEEDED")
    trials = sorted(job.record.sweep.trial for job in sweeping.client.jobs.list("demo"))
    assert trials == list(range(1, 13))
    assert len({trial.parameters["rate"] for trial in view.trials}) == 12


def test_a_sweep_without_its_process_says_so_and_can_be_stopped(sweeping):
    sweeping.script(SLEEPER)
    sweeping.create()
    view = sweeping.wait_for_trials(2)
    sweeping.kill()
    view = sweeping.view()
    assert view.status.state is SweepState.INTERRUPTED
    assert "mlctl sweep resume rates" in view.status.message
    view = sweeping.client.sweeps.stop("rates")
    assert view.status.state is SweepState.STOPPED
    assert states(view) == {1: "CANCELLED", 2: "CANCELLED"}
    for job in sweeping.client.jobs.list("demo"):
        wait_until(lambda run=job.record.run: not processes_of(run))


def test_of_two_who_want_to_look_after_it_one_is_refused(sweeping):
    sweeping.script(SLEEPER)
    sweeping.create()
    sweeping.wait_for_trials(2)
    with pytest.raises(ConflictError, match="looked after already, by a process of this machine"):
        sweeping.client.sweeps.resume("rates")
    with pytest.raises(ConflictError, match="looked after already"):
        sweeping.create()
    sweeping.client.sweeps.stop("rates")


@pytest.mark.journey  # seconds; what is alike is tested always
def test_it_goes_on_in_another_home_when_the_first_is_gone(sweeping, tmp_path, monkeypatch):
    store = (tmp_path / "shared").as_uri()
    add_context(Context(name="shared", store=store))
    monkeypatch.setenv("MLCTL_CONTEXT", "shared")
    sweeping.client = Client()
    sweeping.script("measure(1, accuracy=arguments.rate)\ntime.sleep(0.3)")
    sweeping.create(parameters={"rate": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}, budget={"parallel": 1})
    wait_until(lambda: sweeping.view().count(TrialState.SUCCEEDED) >= 2)
    sweeping.kill()
    wait_until(lambda: all(job.status.state.finished for job in sweeping.client.jobs.list("demo")))
    monkeypatch.setenv("MLCTL_HOME", str(tmp_path / "other-home"))
    monkeypatch.setattr(lease, "STALE", 1.0)
    monkeypatch.setenv("MLCTL_CONTEXT", "local")
    add_context(Context(name="shared", store=store))
    (sweeping.project.folder / "code" / "main.py").unlink()  # the store has it
    sweeps = Client("shared").sweeps
    sweeps.resume("rates")
    view = sweeps.wait("rates")
    assert view.status.state is SweepState.SUCCEEDED
    # One that was recorded and not started when the first home went is tried again, by another number.
    done = [trial for trial in view.trials if trial.state is not TrialState.CANCELLED]
    assert {trial.parameters["rate"]: trial.state.value for trial in done} == dict.fromkeys(
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "SUCCEEDED"
    )
    assert len(done) == 6 and len(view.trials) <= 7


def test_a_trial_that_goes_badly_is_ended_and_its_version_says_why(sweeping):
    sweeping.script(
        """
        for step in range(1, 4):
            measure(step, accuracy=arguments.rate)
        if arguments.rate < 0.5:
            time.sleep(600)
        """
    )
    view = sweeping.run(
        parameters={"rate": [0.9, 0.8, 0.7, 0.1]},
        budget={"parallel": 1},
        early_stopping={"method": "median", "min_trials": 3},
    )
    assert states(view) == {1: "SUCCEEDED", 2: "SUCCEEDED", 3: "SUCCEEDED", 4: "PRUNED"}
    job = sweeping.client.jobs.get("demo", "v4")
    assert (job.status.state, job.status.reason) == ("CANCELLED", "Pruned")
    assert job.status.message == "ended by sweep rates/V0001 (median): accuracy 0.1 at step 3"


def test_its_time_is_kept_over_all_its_processes(sweeping):
    sweeping.script(SLEEPER)
    view = sweeping.run(budget={"parallel": 4, "max_time": "3s"})
    assert view.status.state is SweepState.FAILED
    assert view.status.message == (
        "its time, 3s, was over before all trials were made; no trial has succeeded: all were ended early"
    )
    assert set(states(view).values()) == {"CANCELLED"}


@pytest.mark.journey  # seconds; what is alike is tested always
def test_its_money_is_kept(sweeping):
    (home_dir()).mkdir(exist_ok=True)
    (home_dir() / "prices.yaml").write_text("{cpu: 3600, local: true, currency: EUR}")
    sweeping.script(SLEEPER)
    view = sweeping.run(budget={"parallel": 2, "max_cost": 2})
    assert view.status.message.startswith("its max_cost, 2, was used up before all trials were made; ")
    assert view.cost > 0


def test_what_the_script_does_not_declare_is_not_searched(sweeping):
    with pytest.raises(PreflightError) as caught:
        sweeping.create(parameters={"rates": [1, 2]})
    assert "main.py does not declare --rates, which is to be searched (did you mean rate?)" in caught.value.message
    with pytest.raises(PreflightError, match="max_cost cannot be kept"):
        sweeping.project.write(resources={"cpus": 1})
        sweeping.path.write_text(
            sweeping.path.read_text().replace("rates:", "rate:").replace("parallel: 2", "max_cost: 2")
        )
        (home_dir() / "prices.yaml").write_text("{gpus: {any: 1}, local: true}")
        sweeping.client.sweeps.create(sweeping.path)
    assert sweeping.client.sweeps.list() == []


@pytest.mark.journey  # seconds; what is alike is tested always
def test_the_best_value_counts_where_the_spec_says_so(sweeping):
    sweeping.script(
        "for step, value in enumerate([0.5, 0.9 - arguments.rate, 0.1]):\n    measure(step, accuracy=value)"
    )
    fields = {"metric": "accuracy", "goal": "maximize", "value": "best"}
    view = sweeping.run(objective=fields, parameters={"rate": [0.1, 0.2]})
    assert [(trial.value, trial.step) for trial in view.trials] == [(0.8, 1), (0.7, 1)]
    view = sweeping.run(objective={**fields, "goal": "minimize"}, parameters={"rate": [0.1, 0.2]})
    assert [(trial.value, trial.step) for trial in view.trials] == [(0.1, 2), (0.1, 2)]


@pytest.mark.journey  # seconds; what is alike is tested always
def test_what_a_deleted_version_was_is_remembered(sweeping):
    sweeping.run(budget={"parallel": 1}, parameters={"rate": [0.1, 0.3]})
    sweeping.client.jobs.delete("demo", "v2")
    view = sweeping.view()
    assert view.best.parameters == {"rate": 0.3}  # the sweep remembers it
    with pytest.raises(NotFoundError, match="demo/V0002 was deleted"):
        sweeping.client.model_of(view.job, view.best.version)


@pytest.mark.journey  # seconds; what is alike is tested always
def test_a_person_who_cancels_one_trial_ends_that_one(sweeping):
    sweeping.script("measure(1, accuracy=1)\nif arguments.rate == 0.1:" + SLEEPER.replace("\n", "\n    "))
    sweeping.create(budget={"parallel": 1})
    wait_until(lambda: [trial for trial in sweeping.view().trials if trial.version])
    wait_until(lambda: sweeping.client.jobs.get("demo", "v1").status.started)
    sweeping.client.jobs.cancel("demo", "v1")
    view = sweeping.client.sweeps.wait("rates")
    assert states(view) == {1: "FAILED", 2: "SUCCEEDED", 3: "SUCCEEDED", 4: "SUCCEEDED"}
    assert view.trials[0].message == "CancelledByUser: cancelled"
