"""`mlctl sweep`, as people use it."""

import json

import pytest

from tests.cli.conftest import Run
from tests.sweeps.conftest import SWEEP, Sweeping, sweeping
from tests.waiting import wait_until

__all__ = ["Sweeping", "sweeping"]


def test_from_the_spec_to_the_best(sweeping, mlctl: Run, tmp_path):
    path = sweeping.write(parameters={"rate": [0.1, 0.3]})
    planned = mlctl("sweep", "create", path, "--dry-run")
    assert planned.returncode == 0 and "2 trials of job demo, 2 at a time" in planned.stdout
    assert mlctl("sweep", "list").stderr == "no sweeps yet; the first one: mlctl sweep create SPEC\n"
    made = mlctl("sweep", "create", path)
    assert made.returncode == 0, made.stderr
    assert "SUCCEEDED trial 2 (demo/V0002): accuracy 1, with rate=0.3\n" in made.stderr
    lines = made.stdout.splitlines()
    assert lines[0].split() == ["Sweep", "rates/V0001"]
    assert lines[-1].split()[:5] == ["2*", "V0002", "SUCCEEDED", "0.3", "1"]
    assert made.stderr.endswith("next: mlctl sweep best rates --deploy\n      mlctl sweep report rates\n")
    shown = json.loads(mlctl("sweep", "get", "rates", "-o", "json").stdout)
    assert (shown["state"], shown["best"]["parameters"], len(shown["trials"])) == ("SUCCEEDED", {"rate": 0.3}, 2)
    assert mlctl("sweep", "list", "-o", "name").stdout == "rates/V0001\n"
    assert mlctl("sweep", "stop", "rates").stderr == ""  # it cannot be resumed
    best = mlctl("sweep", "best", "rates")
    assert "trial 2 of rates/V0001" in best.stdout
    refused = mlctl("sweep", "best", "rates", "--deploy")  # its output holds no model
    assert refused.returncode == 4 and "demo/V0002" in refused.stderr
    assert mlctl("sweep", "report", "rates/v1", "--out", tmp_path / "page.html").returncode == 0
    assert "rates/V0001" in (tmp_path / "page.html").read_text()


def test_delete_says_what_becomes_of_the_trials(sweeping, mlctl: Run, terminal):
    sweeping.run(parameters={"rate": [0.1]})
    with terminal("sweep", "delete", "rates", "--trials") as process:
        process.expect_exact("Delete all versions of rates, with their trials' versions, logs and output?")
        process.sendline("n")
        process.wait()
    done = mlctl("sweep", "delete", "rates/v1")
    assert (done.returncode, done.stdout) == (0, "sweep rates/V0001 deleted\n")
    assert done.stderr == "its trials stay, as versions of demo\n"
    sweeping.run(parameters={"rate": [0.1]})
    done = mlctl("sweep", "delete", "rates", "--trials")
    assert done.stdout == "demo/V0002 deleted\nsweep rates/V0002 deleted\n"


def test_ctrl_c_leaves_it_running_until_it_is_stopped(sweeping, terminal, mlctl: Run):
    sweeping.script("time.sleep(600)")
    path = sweeping.write()
    with terminal("sweep", "create", path, "--yes") as process:
        process.expect("sweep rates/V0001 begun")
        sweeping.wait_for_trials(2)
        process.sendintr()
        process.expect("sweep rates goes on")
        process.expect("mlctl sweep stop rates")
        process.wait()
        assert process.exitstatus == 130
    refused = mlctl("sweep", "resume", "rates")
    assert refused.returncode == 5 and "looked after already" in refused.stderr
    stopped = mlctl("sweep", "stop", "rates")
    assert stopped.returncode == 0 and "STOPPED" in stopped.stdout
    assert stopped.stderr.endswith("next: mlctl sweep resume rates\n")


def test_failure_has_the_exit_code_of_a_failed_job(sweeping, mlctl: Run):
    sweeping.script("sys.exit(1)")
    detached = mlctl("sweep", "create", sweeping.write(parameters={"rate": [0.1]}), "-d", "-o", "name")
    assert (detached.returncode, detached.stdout) == (0, "rates/V0001\n")
    wait_until(lambda: sweeping.view().status.state.finished)
    failed = mlctl("sweep", "resume", "rates", "--detach")
    assert failed.returncode == 0
    failed = mlctl("sweep", "create", sweeping.path, "--set", "budget.failures=1")
    assert failed.returncode == 100
    assert "error: sweep rates/V0002 failed: 1 failed trial in a row" in failed.stderr
    assert "hint: its log: mlctl logs demo -v V0002; mend that" in failed.stderr
    assert mlctl("sweep", "stop", "rates").stderr == "next: mlctl sweep resume rates\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["create", "sweep.yaml"], 4, "there is no file sweep.yaml"),
        (["get", "rates"], 4, "there is no sweep 'rates'"),
        (["best", "rates", "--service", "x"], 2, "add --deploy"),
        (["get", "Rates"], 2, "cannot be the name of a sweep"),
    ],
)
def test_what_cannot_be_is_said(mlctl: Run, arguments, code, words):
    done = mlctl("sweep", *arguments)
    assert done.returncode == code and words in done.stderr


def test_the_dry_run_tells_all_that_is_wrong(sweeping, mlctl: Run):
    done = mlctl("sweep", "create", sweeping.write(parameters={**SWEEP["parameters"], "rats": [1]}), "--dry-run")
    assert done.returncode == 3
    assert "main.py does not declare --rats, which is to be searched" in done.stderr
