"""Which parameters come next, and which trials go badly: a grid of our own, and Optuna's algorithms.

The study lives in memory. Whoever looks after a sweep tells it what the store knows of the trials, so that nothing is
lost with a process. Each choice has a seed of its own, made of the sweep's and the trial's number: it does not
depend on how often the process was started anew.
"""

import math
import random
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec

from orchestrator.errors import PreflightError
from orchestrator.metrics.kinds import Goal
from orchestrator.metrics.table import Point
from orchestrator.specs.dimension import Dimension
from orchestrator.specs.job import ParameterValue
from orchestrator.specs.sweep import EarlyStopping, SweepSpec

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

Parameters = dict[str, ParameterValue]


def needs_optuna(spec: SweepSpec) -> bool:
    """Tell whether a sweep cannot do without Optuna: a grid that lets all trials end needs nothing."""
    return spec.method != "grid" or spec.stopping is not None


def require_optuna(spec: SweepSpec) -> None:
    """Raise PreflightError if a sweep needs what is not installed."""
    if not needs_optuna(spec):
        return
    try:
        for module in ("optuna", *(["cmaes"] if spec.method == "cma-es" else [])):
            import_module(module)
    except ImportError as error:
        what = spec.method if spec.method != "grid" else "early stopping"
        message = f"{what} takes Optuna, which is not installed ({error.name})"
        raise PreflightError(message, hint="pip install 'mlctl[sweep]'; or algorithm: grid") from error


class Search:
    """Proposes the parameters of trials.

    Args:
        spec: Of the sweep.
        goal: Which values of the objective are better.
    """

    def __init__(self, spec: SweepSpec, goal: Goal) -> None:
        self._spec = spec
        self._study = _Study(spec, goal) if needs_optuna(spec) else None
        self._taken: set[bytes] = set()
        self._grid = grid(spec.space) if spec.method == "grid" else iter(())

    def propose(self, number: int) -> Parameters | None:
        """Return the parameters of a new trial of this number; None if there are no more."""
        if self._spec.method != "grid":
            assert self._study
            return self._study.ask(number, None)
        for parameters in self._grid:
            if _key(parameters) not in self._taken:
                self.adopt(number, parameters)
                return parameters
        return None

    def adopt(self, number: int, parameters: Parameters) -> None:
        """Take in a trial whose parameters were decided before."""
        self._taken.add(_key(parameters))
        if self._study:
            self._study.ask(number, parameters)

    def goes_badly(self, number: int, points: Sequence[Point]) -> bool:
        """Take in what a trial has measured so far; tell whether it is not worth to go on with it."""
        return self._study is not None and self._study.report(number, points)

    def tell(self, number: int, value: float | None, *, pruned: bool = False) -> None:
        """Take in how a trial ended; None is without a finite value of the objective."""
        if self._study:
            self._study.tell(number, value, pruned=pruned)


def grid(space: dict[str, Dimension]) -> Iterator[Parameters]:
    """Yield all points of a search space; the last parameter changes first."""
    values = [[one.at(index) for index in range(one.size or 0)] for one in space.values()]
    return (dict(zip(space, point, strict=True)) for point in product(*values))


def _key(parameters: Parameters) -> bytes:
    return msgspec.json.encode(sorted(parameters.items()))


class _Study:
    """An Optuna study that knows trials by our numbers."""

    def __init__(self, spec: SweepSpec, goal: Goal) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", module=r"optuna\..*")
        self._spec = spec
        self._space = {name: _distribution(one) for name, one in spec.space.items()}
        self._study = optuna.create_study(
            direction=goal, sampler=_sampler(spec, 0), pruner=_pruner(spec.stopping), study_name=spec.name
        )
        self._trials: dict[int, optuna.Trial] = {}
        self._points: dict[int, Sequence[Point]] = {}
        self._reported: dict[int, set[int]] = {}
        # Hyperband's rungs hang on how long a trial is. Optuna finds that out by itself, too, but then takes the values
        # that trials have by now for those of their first rungs, and the best of those that follow are behind.
        stopping = spec.stopping
        self._waits = stopping is not None and stopping.method == "hyperband" and stopping.max_steps is None
        self._begun = False

    def ask(self, number: int, fixed: Parameters | None) -> Parameters:
        if fixed is not None:
            self._study.enqueue_trial(fixed)
        elif self._spec.method != "cma-es":
            self._study.sampler = _sampler(self._spec, number)
        elif not self._begun:  # it has a state of its own, which begins at the best of what was before
            self._study.sampler = _sampler(self._spec, number, self._best())
            self._begun = True
        trial = self._study.ask(self._space)
        self._trials[number] = trial
        return {name: _plain(value) for name, value in trial.params.items()}

    def _best(self) -> Parameters | None:
        """Return the numbers among the best trial's parameters, if there is one."""
        from optuna.trial import TrialState

        if not self._study.get_trials(states=[TrialState.COMPLETE]):
            return None
        found = self._study.best_trial.params
        return {name: found[name] for name, one in self._spec.space.items() if one.choice is None}

    def report(self, number: int, points: Sequence[Point]) -> bool:
        self._points[number] = points
        if self._waits:
            return False
        trial, seen = self._trials[number], self._reported.setdefault(number, set())
        badly = False
        for point in points:
            if point.step >= 0 and point.step not in seen:
                seen.add(point.step)
                trial.report(point.value, point.step)
                badly = trial.should_prune() or badly
        return badly

    def tell(self, number: int, value: float | None, *, pruned: bool) -> None:
        from optuna.trial import TrialState

        trial = self._trials[number]
        if pruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        elif value is None or not math.isfinite(value):
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            if self._waits and (points := self._points.get(number)):
                self._waits = False
                self._study.pruner = _pruner(self._spec.stopping, longest=max(1, points[-1].step))
                self.report(number, points)
            self._study.tell(trial, value)


def _distribution(dimension: Dimension) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.choice is not None:
        return CategoricalDistribution(dimension.choice)
    low, high = dimension.bounds
    if dimension.integers:
        return IntDistribution(int(low), int(high), log=dimension.log, step=int(dimension.step or 1))
    return FloatDistribution(float(low), float(high), log=dimension.log, step=dimension.step)


def _sampler(spec: SweepSpec, number: int, start: Parameters | None = None) -> "optuna.samplers.BaseSampler":
    from optuna import samplers

    seed = random.Random(f"{spec.seed}/{number}").getrandbits(31)
    if spec.method == "cma-es":
        return samplers.CmaEsSampler(x0=start, seed=seed, warn_independent_sampling=False)
    # Trials that run count as bad ones, so that several at once are not alike.
    return samplers.TPESampler(seed=seed, constant_liar=True) if spec.method == "tpe" else samplers.RandomSampler(seed)


def _pruner(stopping: EarlyStopping | None, longest: int | None = None) -> "optuna.pruners.BasePruner":
    """Return what tells which trials go badly, given how many steps a whole one has, if that is known."""
    from optuna import pruners

    if stopping is None:
        return pruners.NopPruner()
    if stopping.method == "median":
        return pruners.MedianPruner(n_startup_trials=stopping.min_trials, n_warmup_steps=stopping.min_steps - 1)
    if stopping.method == "asha":
        return pruners.SuccessiveHalvingPruner(min_resource=stopping.min_steps, reduction_factor=stopping.reduction)
    most = stopping.max_steps or longest
    if most is None:
        return pruners.NopPruner()
    return pruners.HyperbandPruner(
        min_resource=stopping.min_steps, max_resource=most, reduction_factor=stopping.reduction
    )


def _plain(value: Any) -> ParameterValue:
    """Return a parameter as YAML would have it, and not as NumPy has it."""
    plain: ParameterValue = value.item() if hasattr(value, "item") else value
    return plain
