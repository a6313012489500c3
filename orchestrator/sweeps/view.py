"""A sweep as users see it: its record, how it stands, and its trials."""

import msgspec

from orchestrator.errors import JobFailedError, NotFoundError
from orchestrator.metrics.table import better
from orchestrator.store.base import Store
from orchestrator.store.records import find
from orchestrator.sweeps.lease import is_looked_after
from orchestrator.sweeps.record import STATUS, SweepRecord, SweepState, SweepStatus, Trial, TrialState, read_trials


class SweepView(msgspec.Struct, frozen=True, kw_only=True):
    """What every command shows of a sweep.

    Attributes:
        record: Of the sweep.
        status: How it stands.
        trials: By their numbers.
    """

    record: SweepRecord
    status: SweepStatus
    trials: list[Trial]

    @property
    def job(self) -> str:
        """Name of the job that its trials are versions of."""
        return self.record.template.name

    @property
    def total(self) -> int:
        """How many trials there will be, if nothing ends it before."""
        return self.record.parsed().trials

    @property
    def best(self) -> Trial | None:
        """The best trial so far; the first one of equals."""
        found: Trial | None = None
        for trial in self.trials:
            if trial.state is not TrialState.SUCCEEDED or trial.value is None:
                continue
            if found is None or found.value is None or better(trial.value, found.value, self.record.goal):
                found = trial
        return found

    @property
    def cost(self) -> float | None:
        """What its trials have cost, in the currency of their price; None where that is not known."""
        price = self.record.template.price
        return None if price is None else sum(trial.cost or 0.0 for trial in self.trials)

    def count(self, state: TrialState) -> int:
        """Return how many trials are in a state."""
        return sum(trial.state is state for trial in self.trials)

    def require_best(self) -> Trial:
        """Return the best trial. Raises NotFoundError if none has succeeded."""
        if best := self.best:
            return best
        hint = f"mlctl sweep get {self.record.name}"
        raise NotFoundError(f"no trial of sweep {self.record.ref} has succeeded yet", hint=hint)

    def raise_if_failed(self) -> None:
        """Raise JobFailedError if it has ended, or been left, without success."""
        state, name = self.status.state, self.record.name
        if state is SweepState.FAILED:
            hint = f"mend that, and create it again; or go on as it is: mlctl sweep resume {name}"
            if failed := [one for one in self.trials if one.state is TrialState.FAILED and one.version]:
                hint = f"its log: mlctl logs {self.job} -v {failed[-1].version}; {hint}"
            raise JobFailedError(f"sweep {self.record.ref} failed: {self.status.message}", hint=hint)
        if state is SweepState.INTERRUPTED:
            message = f"the process that looked after sweep {self.record.ref} is gone"
            raise JobFailedError(message, hint=f"go on: mlctl sweep resume {name}")


def view_of(store: Store, record: SweepRecord, known: dict[int, Trial] | None = None) -> SweepView:
    """Return a sweep as it stands now.

    Args:
        store: Where it is.
        record: Of the sweep.
        known: Trials that have ended, which are not read again; gets those that have by now.
    """
    alive = is_looked_after(store, record.prefix)  # first: its holder writes the status before it lets go
    status = find(store, record.prefix + STATUS, SweepStatus) or SweepStatus()
    if not status.state.finished and not alive:
        message = f"nobody looks after it; go on: mlctl sweep resume {record.name}"
        status = msgspec.structs.replace(status, state=SweepState.INTERRUPTED, message=message)
    trials = read_trials(store, record, known or {})
    if known is not None:
        known.update({trial.number: trial for trial in trials if trial.state is not TrialState.RUNNING})
    return SweepView(record=record, status=status, trials=trials)
