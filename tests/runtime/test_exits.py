"""The reason given for a script's end is the true one."""

import pytest

from orchestrator.runtime.exits import Exit, conclude, signal_name
from orchestrator.runtime.status import Reason, State


@pytest.mark.parametrize(
    ("end", "last_line", "state", "reason"),
    [
        (Exit(code=0), "", State.SUCCEEDED, None),
        (Exit(code=1), "ValueError: x", State.FAILED, Reason.USER_ERROR),
        (Exit(code=1), "MemoryError", State.FAILED, Reason.OUT_OF_MEMORY),
        (Exit(code=134), "terminate called after throwing 'std::bad_alloc'", State.FAILED, Reason.OUT_OF_MEMORY),
        (Exit(code=1), "OSError: [Errno 28] No space left on device", State.FAILED, Reason.DISK_FULL),
        (Exit(signal=11), "", State.FAILED, Reason.USER_ERROR),
        (Exit(signal=9), "", State.FAILED, Reason.KILLED),
        (Exit(signal=9, out_of_memory=True), "", State.FAILED, Reason.OUT_OF_MEMORY),
        (Exit(cause="cancelled", code=0), "", State.CANCELLED, Reason.CANCELLED_BY_USER),
        (Exit(cause="timeout", signal=15), "", State.FAILED, Reason.TIMEOUT),
        (Exit(cause="memory", signal=9), "", State.FAILED, Reason.OUT_OF_MEMORY),
        (Exit(cause="lost", signal=9), "", State.FAILED, Reason.SUPERVISOR_LOST),
        (Exit(cause="not-started", error="no such file"), "", State.FAILED, Reason.START_FAILED),
        (Exit(cause="not-started", reason=Reason.DATA_MISSING), "", State.FAILED, Reason.DATA_MISSING),
    ],
)
def test_conclusions(end, last_line, state, reason):
    found = conclude(end, last_lines=["epoch 1", last_line], max_duration="1h", memory="2Gi")
    assert found[:2] == (state, reason)
    if state is State.FAILED:
        assert found[2]


def test_a_time_that_a_budget_has_shortened():
    found = conclude(Exit(cause="timeout"), last_lines=[], max_duration="20m", memory="", budget="5.00 CNY")
    assert found[:2] == (State.FAILED, Reason.BUDGET_EXCEEDED)
    assert "5.00 CNY" in found[2] and "20m" in found[2]


def test_a_word_of_memory_in_the_log_of_a_success_means_nothing():
    assert conclude(Exit(code=0), last_lines=["MemoryError"], max_duration="", memory="")[0] is State.SUCCEEDED


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_next_step(reason):
    assert reason.hint.format(job="mnist", version="V0001")


def test_signal_names():
    assert [signal_name(number) for number in (0, 9, 15, 99)] == ["", "SIGKILL", "SIGTERM", "signal 99"]
