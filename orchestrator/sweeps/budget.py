"""What is left of a sweep's time and money."""

import math
from collections.abc import Callable, Collection

from orchestrator.specs.sweep import Budget
from orchestrator.sweeps.record import Trial
from orchestrator.sweeps.running import Running


class Left:
    """What is left of a budget.

    Args:
        budget: As the spec has it.
        clock: Seconds that only grow.

    Attributes:
        before: Seconds that processes before this one have looked after the sweep.
    """

    def __init__(self, budget: Budget, clock: Callable[[], float]) -> None:
        self._budget = budget
        self._clock = clock
        self._begun = clock()
        self.before = 0.0

    def used(self) -> float:
        """Return the seconds that somebody has looked after the sweep."""
        return self.before + self._clock() - self._begun

    def nothing(self, ended: Collection[Trial], running: Collection[Running]) -> str:
        """Return what is used up, in words; empty if nothing is."""
        budget = self._budget
        if budget.max_seconds is not None and self.used() >= budget.max_seconds:
            return f"its time, {budget.max_time}, was over"
        if budget.max_cost is not None and self._money(ended, running) <= 0:
            return f"its max_cost, {budget.max_cost:g}, was used up"
        return ""

    def lasts(self, ended: Collection[Trial], running: Collection[Running]) -> float:
        """Return for how many seconds the money pays for the trials that run; may be infinite."""
        rate = sum(one.rate for one in running)
        return self._money(ended, running) / rate if rate else math.inf

    def _money(self, ended: Collection[Trial], running: Collection[Running]) -> float:
        if self._budget.max_cost is None:
            return math.inf
        now = self._clock()
        spent = sum(trial.cost or 0.0 for trial in ended) + sum(one.cost_at(now) for one in running)
        return self._budget.max_cost - spent
