"""Several processes that build the same environment, and builds that are killed at their worst moment."""

import os
import signal
from pathlib import Path

import pytest

from orchestrator.engines import ensure_environment, environment_state
from orchestrator.engines.environment import environment_path
from tests.engines.conftest import Workshop, is_alive
from tests.waiting import wait_until

SECONDS = 60


def test_of_two_processes_one_builds_and_both_use_it(workshop: Workshop):
    engine = workshop.engine(workshop.slow_source())
    first = workshop.process()
    workshop.builder_pid()
    second = workshop.process()
    assert second.stdout is not None
    assert "another process is building engine tiny" in second.stdout.readline()
    (workshop.control / "go").touch()
    for process in (first, second):
        out, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, err
        assert out.splitlines()[-1] == str(environment_path(engine) / "bin" / "python")
    assert len(list(workshop.control.glob("build-*"))) == 1


def test_eight_processes_at_once(workshop: Workshop):
    engine = workshop.engine(workshop.wheel("alpha"))
    processes = [workshop.process() for _ in range(8)]
    outputs = [process.communicate(timeout=SECONDS) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, outputs
    assert sum("building the environment" in out for out, _ in outputs) == 1
    assert environment_state(engine).ready


def test_a_killed_build_is_done_again(workshop: Workshop):
    """The whole build is killed, as when the machine loses power."""
    engine = workshop.engine(workshop.slow_source())
    process = workshop.process()
    builder = workshop.builder_pid()
    process.kill()
    process.wait()
    os.killpg(os.getpgid(builder), signal.SIGKILL)
    wait_until(lambda: not is_alive(builder))
    assert environment_path(engine).exists()
    assert not environment_state(engine).ready
    (workshop.control / "go").touch()
    assert ensure_environment(engine).exists()
    assert environment_state(engine).ready


def test_what_a_killed_process_left_running_is_waited_for(workshop: Workshop):
    """Only mlctl is killed: its uv goes on writing, and nobody else may build in the same place meanwhile."""
    engine = workshop.engine(workshop.slow_source())
    first = workshop.process()
    builder = workshop.builder_pid()
    first.kill()
    first.wait()
    second = workshop.process()
    assert second.stdout is not None
    assert "another process is building" in second.stdout.readline()
    assert is_alive(builder)
    (workshop.control / "go").touch()
    out, err = second.communicate(timeout=SECONDS)
    assert second.returncode == 0, err
    assert "building the environment" in out
    assert environment_state(engine).ready


@pytest.mark.parametrize("group", [False, True], ids=["kill -INT", "terminal"])
def test_interrupt_leaves_no_process_and_no_half_environment(workshop: Workshop, group: bool):
    engine = workshop.engine(workshop.slow_source())
    process = workshop.process()
    builder = workshop.builder_pid()
    parent = parent_of(builder)
    if group:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in err
    wait_until(lambda: not is_alive(builder) and not is_alive(parent))
    assert not environment_path(engine).exists()
    (workshop.control / "go").touch()
    assert ensure_environment(engine).exists()


def test_interrupt_of_a_waiting_process_leaves_the_build_alone(workshop: Workshop):
    engine = workshop.engine(workshop.slow_source())
    first = workshop.process()
    workshop.builder_pid()
    second = workshop.process()
    assert second.stdout is not None
    second.stdout.readline()
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=SECONDS)
    assert second.returncode != 0
    (workshop.control / "go").touch()
    _, err = first.communicate(timeout=SECONDS)
    assert first.returncode == 0, err
    assert environment_state(engine).ready


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
