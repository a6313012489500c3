"""What `sweep create` is going to do, found out without changing anything."""

import hashlib
from pathlib import Path

import msgspec

from orchestrator.amounts import count
from orchestrator.backends.base import Backend
from orchestrator.datasets import Datasets
from orchestrator.errors import MlctlError, PreflightError
from orchestrator.jobs.plan import Plan, make_plan, require_possible
from orchestrator.jobs.record import DataRef
from orchestrator.metrics.goal import guess_goal
from orchestrator.metrics.kinds import Goal
from orchestrator.progress import Reporter
from orchestrator.specs.load_sweep import LoadedSweep
from orchestrator.specs.names import nearest
from orchestrator.specs.prices import Price
from orchestrator.specs.sweep import SweepSpec
from orchestrator.store.base import Store
from orchestrator.sweeps.search import require_optuna


class SweepPlan(msgspec.Struct, kw_only=True):
    """Everything that determines a sweep, and what is to be said about it beforehand.

    Attributes:
        spec: Of the sweep.
        job: Of its first trial; its problems are those of the sweep.
        goal: Which values of the objective are better.
        guessed: Whether mlctl guessed that from the metric's name.
        source: The sweep's file.
    """

    spec: SweepSpec
    job: Plan
    goal: Goal
    guessed: bool
    source: Path

    @property
    def price(self) -> Price | None:
        """Of an hour of a trial; None where it is not known."""
        return self.job.budget.price if self.job.budget else None

    @property
    def at_most(self) -> float | None:
        """What it costs if each trial takes all its time, or all its budget; None where no price is known."""
        budget = self.job.budget
        if budget is None or budget.at_most is None:
            return None
        every = self.spec.trials * budget.at_most
        return every if self.spec.budget.max_cost is None else min(every, self.spec.budget.max_cost)

    def spec_document(self) -> dict[str, object]:
        """Return the spec as plain data."""
        document: dict[str, object] = msgspec.to_builtins(self.spec)
        return document

    def digest(self, data: DataRef | None) -> str:
        """Return the hash of all that determines the sweep, given the dataset version that its trials read."""
        parts = [self.spec_document(), self.job.digest(data)]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()

    def require_possible(self) -> None:
        """Raise what makes it impossible, if there is anything, as one PreflightError."""
        require_possible(self.job, self.source)


def plan_sweep(
    loaded: LoadedSweep,
    store: Store,
    datasets: Datasets,
    *,
    backend: Backend,
    context: str | None,
    reporter: Reporter,
) -> SweepPlan:
    """Look at everything a sweep needs, change nothing; the arguments are those of `make_plan`."""
    job = make_plan(loaded.job, store, datasets, backend=backend, context=context, reporter=reporter)
    spec = loaded.spec
    job.problems += _problems(spec, job)
    job.warnings += _warnings(spec)
    goal = spec.objective.goal or guess_goal(spec.objective.metric)
    return SweepPlan(spec=spec, job=job, goal=goal, guessed=spec.objective.goal is None, source=loaded.path)


def _problems(spec: SweepSpec, job: Plan) -> list[MlctlError]:
    found: list[MlctlError] = []
    try:
        require_optuna(spec)
    except PreflightError as error:
        found.append(error)
    declared = job.declared.names
    for name in spec.parameters if declared else ():
        if name not in declared:
            near = nearest(name, declared)
            message = f"{job.spec.boot_file} does not declare --{name}, which is to be searched"
            hint = f"did you mean {near}?" if near else f"it declares {', '.join(sorted(declared))}"
            found.append(PreflightError(message, hint=hint))
    if spec.budget.max_cost is not None and job.budget and job.budget.price is None:
        message = "max_cost cannot be kept: no price is known of what the trials ask for"
        found.append(PreflightError(message, hint="write prices into prices.yaml in mlctl's home (docs/cost.md)"))
    return found


def _warnings(spec: SweepSpec) -> list[str]:
    found = []
    if spec.method != "grid" and 0 < spec.points <= spec.trials:
        found.append(
            f"the search space has {count(spec.points, 'point')}, so of {count(spec.trials, 'trial')} some will be "
            "the same; `algorithm: grid` tries each point once"
        )
    lists = [name for name, one in spec.space.items() if one.choice is not None]
    if spec.method == "cma-es" and lists:
        found.append(f"cma-es learns from numbers only: {', '.join(lists)} will be chosen at random")
    return found
