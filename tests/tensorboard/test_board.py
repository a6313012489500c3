"""mlctl tensorboard: the real program shows versions that have ended and one that runs."""

import os
import signal
import socket
from pathlib import Path

import pytest

from orchestrator.tensorboard.server import PORT, choose_port
from tests.tensorboard.conftest import boards
from tests.tensorboard.events import losses
from tests.waiting import wait_until


def test_curves_of_a_version_that_ended_and_of_one_that_runs(each_store, control, project, open_board, mlctl):
    (control / "second").write_bytes(losses(10, 12))
    (control / "end").touch()
    assert project.run().status.state == "SUCCEEDED"
    (control / "second").unlink()
    (control / "end").unlink()
    running = project.create()
    project.wait_for_log(running, b"first")
    shown = open_board("demo", "-v", "v1,v2", "--port", "0", "--stop-after", "10m")
    wait_until(lambda: shown.get("data/runs") == ["V0001", "V0002"])
    wait_until(lambda: shown.steps("V0001") == list(range(12)))
    wait_until(lambda: shown.steps("V0002") == list(range(10)))
    (control / "part").write_bytes(losses(10, 30)[:-5])  # the last record is not whole yet
    (control / "part").rename(control / "second")
    wait_until(lambda: shown.steps("V0002") == list(range(29)))
    (control / "end").touch()
    project.wait_for_state(running, "SUCCEEDED")
    assert shown.steps("V0002") == list(range(29))
    code, said = shown.end()
    assert code == 0 and "ends after 10m, or with Ctrl-C" in said
    assert not boards()
    assert not list((Path(os.environ["MLCTL_HOME"]) / "tensorboard").iterdir())


def test_a_version_without_events_yet_and_a_command_that_is_killed(control, project, open_board):
    (control / "first").rename(control / "later")
    project.wait_for_state(project.create(), "RUNNING")
    shown = open_board("demo", "--port", "0")
    assert shown.get("data/runs") == []
    told = iter(shown.process.stderr.readline, "")  # before that, that its environment is being built, if it is
    assert any("demo/V0001 is RUNNING and has no event files yet" in line for line in told)
    (control / "later").rename(control / "first")
    wait_until(lambda: shown.steps("V0001") == list(range(10)))
    assert boards()
    shown.process.send_signal(signal.SIGKILL)
    wait_until(lambda: not boards())
    project.client.jobs.cancel("demo")


def test_it_ends_by_itself(control, project, mlctl):
    for name in ("second", "end"):
        (control / name).touch()
    project.run()
    port = choose_port(0)
    done = mlctl("tensorboard", "demo/V0001", "--port", port, "--stop-after", "1s")
    assert (done.returncode, done.stdout) == (0, f"http://127.0.0.1:{port}/\n"), done.stderr
    assert "ended after 1s" in done.stderr
    assert not boards()


def test_what_cannot_be_shown_is_said_with_the_next_step(control, project, mlctl):
    project.script("open(os.path.join(train_url, 'model.pt'), 'w').close()")
    project.run()
    nothing = mlctl("tensorboard", "demo")
    assert nothing.returncode == 4
    assert "demo/V0001 has no event files (*tfevents*) in " in nothing.stderr
    assert "jobs/demo/V0001/output/: there is model.pt" in nothing.stderr and "SummaryWriter" in nothing.stderr
    assert mlctl("tensorboard", "demo", "-v", "v1,v7").returncode == 4
    assert mlctl("tensorboard", "other").returncode == 4
    assert mlctl("tensorboard", "demo", "-v", "v1,").returncode == 2
    assert mlctl("tensorboard", "demo", "--stop-after", "soon").returncode == 2


def test_a_port_that_is_taken(control, project, mlctl):
    for name in ("second", "end"):
        (control / name).touch()
    project.run()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = mlctl("tensorboard", "demo", "--port", port)
    assert taken.returncode == 5
    assert f"port {port} of this machine cannot be had: address already in use" in taken.stderr
    assert "--port 0" in taken.stderr


def test_tensorboards_own_port_unless_it_is_taken():
    try:
        with socket.create_server(("127.0.0.1", PORT)):
            assert choose_port(None) not in (0, PORT)
    except OSError:
        pytest.skip(f"port {PORT} is taken")
