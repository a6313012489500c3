"""What a user writes about a sweep, as objects (docs/sweep.schema.json is made from them)."""

import math
from typing import Annotated, Any, Literal

import msgspec

from orchestrator.errors import UsageError
from orchestrator.specs import quantities
from orchestrator.specs.dimension import Dimension
from orchestrator.specs.fields import FieldError, describe_field
from orchestrator.specs.job import MAX_PATH, RESERVED_PARAMETERS, JobSpec, ParameterValue
from orchestrator.specs.job_parts import describe_name
from orchestrator.specs.scalars import show

MAX_TRIALS = 10_000
MAX_PARALLEL = 256

AlgorithmName = Literal["grid", "random", "tpe", "cma-es", "bayes_opt_search", "tpe_search", "anneal_search"]
Method = Literal["grid", "random", "tpe", "cma-es"]
# What ModelArts calls them, and what comes nearest to it in Optuna.
_METHODS: dict[str, Method] = {"bayes_opt_search": "tpe", "tpe_search": "tpe", "anneal_search": "cma-es"}


class Objective(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the sweep is after."""

    metric: Annotated[
        Annotated[str, msgspec.Meta(min_length=1)],
        describe_field(
            "Name of the metric, as the script or a pattern calls it.", must="the name of a metric", example="accuracy"
        ),
    ]
    goal: Annotated[
        Literal["maximize", "minimize"] | None,
        describe_field(
            "Which values are better; without it, guessed from the name.",
            must="`maximize` or `minimize`",
            example="maximize",
        ),
    ] = None
    value: Annotated[
        Literal["last", "best"],
        describe_field("Which of a trial's values counts.", must="`last` or `best`", example="last"),
    ] = "last"


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When it is enough."""

    trials: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=MAX_TRIALS)] | None,
        describe_field(
            "Number of trials; a grid has one for each point.",
            must=f"a whole number from 1 to {MAX_TRIALS}",
            example=20,
        ),
    ] = None
    parallel: Annotated[
        int,
        describe_field(
            "Trials at the same time.",
            must=f"a whole number from 1 to {MAX_PARALLEL}",
            example=2,
            ge=1,
            le=MAX_PARALLEL,
        ),
    ] = 1
    max_time: Annotated[
        Annotated[str, msgspec.Meta(pattern=quantities.DURATION_PATTERN)]
        | Annotated[int, msgspec.Meta(ge=1, le=quantities.MAX_DURATION)]
        | None,
        describe_field(
            "The sweep ends after this time: 90s, 45m, 1h30m, 2d, or a number of seconds.",
            must="a duration: 90s, 45m, 1h30m, 2d, or a number of seconds",
            example="2h",
            fix=quantities.suggest_duration,
        ),
    ] = None
    max_cost: Annotated[
        Annotated[int, msgspec.Meta(gt=0)] | Annotated[float, msgspec.Meta(gt=0)] | None,
        describe_field(
            "The sweep ends when its trials have cost so much, in the currency of the flavor.",
            must="a number above 0",
            example=50,
        ),
    ] = None
    failures: Annotated[
        int,
        describe_field(
            "So many failed trials one after the other end the sweep.",
            must="a whole number, 1 or more",
            example=3,
            ge=1,
        ),
    ] = 3

    def __post_init__(self) -> None:
        try:
            seconds = self.max_seconds
        except UsageError as error:
            raise FieldError("max_time", f"is impossible: {error}") from error
        if seconds == 0:
            raise FieldError("max_time", "must be more than no time; for example: `max_time: 2h`")

    @property
    def max_seconds(self) -> int | None:
        """`max_time` in seconds; None without one."""
        return None if self.max_time is None else quantities.parse_duration(self.max_time)


class EarlyStopping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a trial that goes badly is ended before its time."""

    method: Annotated[
        Literal["median", "asha", "hyperband"],
        describe_field(
            "`median`: worse than half of the others at that step; `asha`: not among the best at a rung of successive "
            "halving; `hyperband`: the same with several ladders.",
            must="`median`, `asha` or `hyperband`",
            example="median",
        ),
    ]
    min_steps: Annotated[
        int,
        describe_field(
            "No trial is ended before this step, as the metric counts.",
            must="a whole number, 1 or more",
            example=5,
            ge=1,
        ),
    ] = 1
    max_steps: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        describe_field(
            "Steps of a whole trial; only `hyperband` asks, and finds out by itself.",
            must="a whole number, 1 or more",
            example=50,
        ),
    ] = None
    min_trials: Annotated[
        int,
        describe_field(
            "`median`: so many trials must have ended before one is compared.",
            must="a whole number, 1 or more",
            example=4,
            ge=1,
        ),
    ] = 4
    reduction: Annotated[
        int,
        describe_field(
            "`asha`, `hyperband`: one of so many goes on to the next rung.",
            must="a whole number, 2 or more",
            example=3,
            ge=2,
        ),
    ] = 3


class SweepSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sweep: one job in many versions, which differ by their parameters."""

    name: Annotated[
        str,
        describe_name("Name of the sweep.", example="digits-rates"),
    ]
    job: Annotated[
        Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_PATH)] | JobSpec,
        describe_field(
            "The job: path of its YAML file (relative to this one), or the spec itself.",
            must="the path of a job's YAML file, or a job spec",
            example="mnist-mxnet.yaml",
        ),
    ]
    parameters: Annotated[
        dict[
            Annotated[
                str,
                describe_field(
                    "Name of a script's argument.",
                    must="the name of an argument: letters, digits, `_`, `-` and `.`; not data_url, train_url",
                    example="learning_rate",
                    pattern=rf"^(?!(?:{'|'.join(RESERVED_PARAMETERS)})$)[A-Za-z0-9_][A-Za-z0-9_.-]*$",
                    max_length=MAX_PATH,
                ),
            ],
            Annotated[
                ParameterValue | list[ParameterValue] | Dimension,
                describe_field(
                    "A list of values, a range, or one value for all trials.",
                    must="a value, a list of them, `{choice: [...]}`, `{int: [low, high]}` or `{float: [low, high]}`",
                    example={"float": [0.001, 0.5], "log": True},
                ),
            ],
        ],
        describe_field(
            "The search space: what the script's arguments may be.",
            must="a mapping of names to what they may be",
            example={"optimizer": ["sgd", "adam"], "learning_rate": {"float": [0.001, 0.5], "log": True}},
        ),
    ]
    objective: Annotated[
        Objective,
        describe_field("What is to be high or low.", must="a mapping", example={"metric": "accuracy"}),
    ]
    algorithm: Annotated[
        AlgorithmName,
        describe_field(
            "How the next trial is chosen. Of ModelArts' names, `bayes_opt_search` and `tpe_search` are `tpe`, "
            "`anneal_search` is `cma-es`.",
            must="`grid`, `random`, `tpe` or `cma-es`",
            example="tpe",
        ),
    ] = "tpe"
    budget: Annotated[
        Budget, describe_field("When it is enough.", must="a mapping", example={"trials": 20, "parallel": 2})
    ] = Budget()
    early_stopping: Annotated[
        Literal["median", "asha", "hyperband"] | EarlyStopping | None,
        describe_field(
            "When a trial that goes badly is ended: a method's name, or a mapping.",
            must="`median`, `asha`, `hyperband`, or a mapping with a `method`",
            example="median",
        ),
    ] = None
    seed: Annotated[
        int,
        describe_field("Of the random choices.", must="a whole number, 0 or more", example=1, ge=0, le=2**31),
    ] = 0
    description: Annotated[str, describe_field("For people.", must="text", example="which optimizer, how fast")] = ""

    def __post_init__(self) -> None:
        self._check_parameters()
        self._check_budget()

    def _check_parameters(self) -> None:
        if not self.parameters:
            raise FieldError("parameters", "is empty; for example: `parameters: {optimizer: [sgd, adam]}`")
        for name, values in self.parameters.items():
            try:
                _dimension(values)
            except FieldError as error:
                raise FieldError("parameters", error.reason, below=name) from error
        fixed = self.job.parameters if isinstance(self.job, JobSpec) else {}
        if both := [name for name in self.parameters if name in fixed]:
            reason = f"is searched, and the job has it fixed to {show(fixed[both[0]])}; write one of the two"
            raise FieldError("parameters", reason, below=both[0])

    def _check_budget(self) -> None:
        if self.algorithm != "grid":
            if self.budget.trials is None:
                raise FieldError("budget", "does not say how many trials; for example: `budget: {trials: 20}`")
            return
        if endless := [name for name, one in self.space.items() if one.size is None]:
            example = f"`{endless[0]}: {{float: [0.1, 0.5], step: 0.1}}`"
            raise FieldError("algorithm", f"grid needs a step for `{endless[0]}`; for example: {example}")
        points = self.points
        if points > MAX_TRIALS:
            raise FieldError("algorithm", f"grid has {points} points, and a sweep at most {MAX_TRIALS} trials")
        if self.budget.trials is not None and points > self.budget.trials:
            reason = f"allows {self.budget.trials} trials, and the grid has {points} points"
            raise FieldError("budget", f"{reason}; write `trials: {points}`, or `algorithm: random`")

    @property
    def space(self) -> dict[str, Dimension]:
        """The search space."""
        return {name: _dimension(values) for name, values in self.parameters.items()}

    @property
    def points(self) -> int:
        """How many points the grid has; 0 without end."""
        return math.prod(one.size or 0 for one in self.space.values())

    @property
    def trials(self) -> int:
        """How many trials it takes."""
        return self.points if self.method == "grid" else self.budget.trials or 0

    @property
    def method(self) -> Method:
        """How the next trial is chosen, in our words."""
        found: Any = _METHODS.get(self.algorithm, self.algorithm)
        method: Method = found
        return method

    @property
    def stopping(self) -> EarlyStopping | None:
        """When a trial is ended early."""
        return (
            EarlyStopping(method=self.early_stopping) if isinstance(self.early_stopping, str) else self.early_stopping
        )


def _dimension(values: ParameterValue | list[ParameterValue] | Dimension) -> Dimension:
    if isinstance(values, Dimension):
        return values
    return Dimension(choice=values if isinstance(values, list) else [values])
