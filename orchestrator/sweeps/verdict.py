"""How a sweep ended, told from its trials."""

from collections.abc import Sequence

from orchestrator.sweeps.record import SweepState, Trial, TrialState


def verdict(state: SweepState, message: str, trials: Sequence[Trial]) -> tuple[SweepState, str]:
    """Return how a sweep ended: whatever was the end of it, without any success it has failed.

    Args:
        state: What it would be, by what ended it.
        message: What ended it; empty if all trials were made.
        trials: All that have ended, in that order.
    """
    if state is SweepState.SUCCEEDED and not any(one.state is TrialState.SUCCEEDED for one in trials):
        return SweepState.FAILED, "; ".join(filter(None, (message, f"no trial has succeeded: {last_failure(trials)}")))
    return state, message


def last_failure(trials: Sequence[Trial]) -> str:
    """Return why the latest trial that failed did so."""
    failed = [trial for trial in trials if trial.state is TrialState.FAILED]
    return f"trial {failed[-1].number}: {failed[-1].message}" if failed else "all were ended early"
