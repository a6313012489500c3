"""Whether a sweep that has come to its end has succeeded."""

import pytest

from orchestrator.sweeps.record import SweepState, Trial, TrialState
from orchestrator.sweeps.verdict import verdict

GOOD = Trial(number=1, parameters={}, state=TrialState.SUCCEEDED)
BAD = Trial(number=2, parameters={}, state=TrialState.FAILED, message="it fell")
CUT = Trial(number=3, parameters={}, state=TrialState.CANCELLED)
OVER = "its time, 3s, was over"
NONE = "no trial has succeeded"


@pytest.mark.parametrize(
    ("state", "message", "trials", "told"),
    [
        (SweepState.SUCCEEDED, "", [GOOD, BAD], (SweepState.SUCCEEDED, "")),
        (SweepState.SUCCEEDED, OVER, [BAD, GOOD, CUT], (SweepState.SUCCEEDED, OVER)),
        (SweepState.SUCCEEDED, "", [BAD], (SweepState.FAILED, f"{NONE}: trial 2: it fell")),
        (
            SweepState.SUCCEEDED,
            OVER,
            [CUT],
            (SweepState.FAILED, f"{OVER}; {NONE}: all were ended early"),
        ),
        (SweepState.STOPPED, "somebody stopped it", [CUT], (SweepState.STOPPED, "somebody stopped it")),
        (SweepState.FAILED, "the store is full", [GOOD], (SweepState.FAILED, "the store is full")),
    ],
)
def test_without_any_success_it_has_failed(state, message, trials, told):
    assert verdict(state, message, trials) == told
