"""What a user writes about a job, as objects (docs/job.schema.json is made from them)."""

import posixpath
import re
from typing import Annotated, Literal, TypeAlias

import msgspec

from orchestrator.errors import UsageError
from orchestrator.metrics.patterns import own_pattern
from orchestrator.specs import quantities
from orchestrator.specs.fields import FieldError, describe_field
from orchestrator.specs.job_parts import Model, Positive, Resources, describe_name
from orchestrator.specs.kubernetes import Kubernetes
from orchestrator.specs.names import ENGINE_PATTERN, MAX_NAME, NAME_RULE, parse_version, suggest_name

MAX_METRIC = 200  # characters
MAX_PATH = 1024  # characters, the limit of a key in S3
RESERVED_PARAMETERS = ("data_url", "train_url")  # the platform passes them

_REMOTE = r"(?:s3|obs)://[A-Za-z0-9][A-Za-z0-9._-]{1,62}(?:/.*)?"
_FILE = r"file:///.+"
_NO_SCHEME = r"(?![A-Za-z][A-Za-z0-9+.-]+:)"  # so that a misspelt URL is not taken for a folder
_FOLDER = rf"{_NO_SCHEME}(?!~).+"
_INSIDE = rf"{_NO_SCHEME}(?![/~])(?!(?:.*/)?\.\.(?:/|$))"
_DATASET = rf"dataset://[a-z](?:[-a-z0-9]{{0,{MAX_NAME - 2}}}[a-z0-9])?(?:@(?:[vV]?0*[1-9][0-9]{{0,8}}|latest))?"
_ENV_NAME = "^[A-Za-z_][A-Za-z0-9_]*$"
_ENV_RULE = "letters, digits and `_`, not starting with a digit"

_MetricName: TypeAlias = Annotated[
    str,
    describe_field(
        "Name of a metric.",
        must="the name of a metric: letters, digits, `_`, `-`, `.` and `/`, beginning with a letter",
        example="accuracy",
        pattern=r"^[A-Za-z][A-Za-z0-9_./-]*$",
        max_length=MAX_METRIC,
    ),
]
ParameterValue: TypeAlias = str | int | float | bool


def parse_dataset_url(url: str) -> tuple[str, int | None] | None:
    """Return name and version (None: the latest) of `dataset://NAME[@VERSION]`; None for another form of data."""
    if not re.fullmatch(_DATASET, url):
        return None
    name, _, version = url.removeprefix("dataset://").partition("@")
    return name, parse_version(version) if version else None


def _suggest_engine(text: str) -> str | None:
    return suggest_name(text, dots=True)


class JobSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A training job: code, engine, data, parameters and resources.

    Paths are kept as they were written; relative ones count from the folder of the YAML file.
    """

    name: Annotated[
        str,
        describe_name("Name of the job; each submit makes a new version of it.", example="mnist-mxnet"),
    ]
    engine: Annotated[
        str,
        describe_field(
            "Framework environment that runs the script: `mlctl engine list`.",
            must=NAME_RULE.replace("`-`", "`-` and `.`"),
            example="mxnet-1.9",
            fix=_suggest_engine,
            pattern=ENGINE_PATTERN,
        ),
    ]
    code: Annotated[
        str,
        describe_field(
            "The training code: a folder (relative paths count from the YAML file's folder), or a bucket's prefix.",
            must="a folder, file:///FOLDER, s3://BUCKET/PREFIX/ or obs://BUCKET/PREFIX/",
            example="./mnist-mxnet",
            pattern=rf"^(?:{_REMOTE}|{_FILE}|{_FOLDER})$",
            max_length=MAX_PATH,
        ),
    ]
    boot_file: Annotated[
        str,
        describe_field(
            "Python file that the engine starts, relative to the code folder.",
            must="the path of a .py file inside the code folder (not absolute, without `.` and `..`)",
            example="train_mnist.py",
            fix=posixpath.normpath,
            pattern=rf"^{_NO_SCHEME}(?!~)(?!(?:.*/)?\.{{0,2}}(?:/|$)).*[^/]\.py$",
            max_length=MAX_PATH,
        ),
    ]
    data: Annotated[
        Annotated[
            str,
            msgspec.Meta(pattern=rf"^(?:{_DATASET}|{_REMOTE}|{_FILE}|{_FOLDER})$", max_length=MAX_PATH),
        ]
        | None,
        describe_field(
            "What the script finds in data_url: a dataset, a bucket's prefix, or a folder.",
            must="dataset://NAME[@VERSION], s3://BUCKET/PREFIX/, obs://BUCKET/PREFIX/, file:///FOLDER or a folder",
            example="dataset://mnist",
        ),
    ] = None
    data_mode: Annotated[
        Literal["local", "url"],
        describe_field(
            "`local`: data_url and train_url are folders, mlctl copies; `url`: the script gets s3:// URLs and copies.",
            must="`local` or `url`",
            example="local",
        ),
    ] = "local"
    parameters: Annotated[
        dict[
            Annotated[
                str,
                describe_field(
                    "Name of a script's argument.",
                    must="the name of an argument: letters, digits, `_`, `-` and `.`; mlctl itself passes "
                    "data_url (from `data`) and train_url (from `output`)",
                    example="num_epochs",
                    pattern=rf"^(?!(?:{'|'.join(RESERVED_PARAMETERS)})$)[A-Za-z0-9_][A-Za-z0-9_.-]*$",
                    max_length=MAX_PATH,
                ),
            ],
            Annotated[
                ParameterValue,
                describe_field("Its value.", must="text, a number, true or false", example=8),
            ],
        ],
        describe_field(
            "Arguments of the script, passed as --NAME=VALUE; `${data_url}` and `${train_url}` are the folders.",
            must="a mapping of names to values",
            example={"num_epochs": 8},
        ),
    ] = {}
    pass_args: Annotated[
        list[
            Annotated[
                Literal[
                    "data_url",
                    "train_url",
                    "num_gpus",
                    "job_name",
                    "task_index",
                    "ps_hosts",
                    "worker_hosts",
                    "init_method",
                    "rank",
                    "world_size",
                ],
                describe_field("An argument.", must="an argument of the platform", example="num_gpus"),
            ]
        ]
        | None,
        describe_field(
            "Which of the platform's arguments the script gets; without it, those that its source declares.",
            must="a list of arguments of the platform",
            example=["num_gpus"],
        ),
    ] = None
    compat: Annotated[
        Literal["auto", "tf1", "none"],
        describe_field(
            "`auto`: old scripts find what their engine lacks; `tf1`: and TensorFlow 1's names on TensorFlow 2; "
            "`none`: the bare engine.",
            must="`auto`, `tf1` or `none`",
            example="tf1",
        ),
    ] = "auto"
    resources: Annotated[
        Resources,
        describe_field("What each node of the job gets.", must="a mapping", example={"flavor": "cpu.small"}),
    ] = Resources()
    runtime: Annotated[
        Literal["environment", "container"],
        describe_field(
            "Where the script runs on this machine: in the engine's Python environment, or in its container image.",
            must="`environment` or `container`",
            example="container",
        ),
    ] = "environment"
    output: Annotated[
        Annotated[str, msgspec.Meta(pattern=rf"^(?:{_REMOTE}|{_FILE}|{_FOLDER})$", max_length=MAX_PATH)] | None,
        describe_field(
            "Where each version's output goes, in a folder V000n; without it, to the job's own place in the store.",
            must="s3://BUCKET/PREFIX/, obs://BUCKET/PREFIX/, file:///FOLDER or a folder",
            example="s3://bucket/mnist/",
        ),
    ] = None
    model: Annotated[
        Model | None,
        describe_field(
            "Register the output as a new version of this model when the job succeeds.",
            must="a mapping",
            example={"name": "mnist-mxnet"},
        ),
    ] = None
    metrics: Annotated[
        dict[
            _MetricName,
            Annotated[
                str,
                describe_field(
                    "Regular expression (RE2) of a part of a line, with one group, the value; or groups named `value`, "
                    "`step` and `epoch`.",
                    must="a regular expression with one group, in parentheses",
                    example=r"right: (\S+)",
                    pattern=r"\(.+\)",
                    max_length=MAX_PATH,
                ),
            ],
        ],
        describe_field(
            "Numbers in the log that the engine's own patterns do not find: `mlctl job metrics` shows what they find.",
            must="a mapping of names to patterns",
            example={"accuracy": r"right: (\S+)"},
        ),
    ] = {}
    goals: Annotated[
        dict[
            _MetricName,
            Annotated[
                Literal["minimize", "maximize"],
                describe_field("Which values are better.", must="`minimize` or `maximize`", example="minimize"),
            ],
        ],
        describe_field(
            "Which values of a metric are better; without it mlctl guesses that from the name, and says so.",
            must="a mapping of names to `minimize` or `maximize`",
            example={"distance": "minimize"},
        ),
    ] = {}
    max_duration: Annotated[
        Annotated[str, msgspec.Meta(pattern=quantities.DURATION_PATTERN)]
        | Annotated[int, msgspec.Meta(ge=1, le=quantities.MAX_DURATION)],
        describe_field(
            "The job is stopped after this time: 90s, 45m, 1h30m, 2d, or a number of seconds.",
            must="a duration: 90s, 45m, 1h30m, 2d, or a number of seconds",
            example="1h30m",
            fix=quantities.suggest_duration,
        ),
    ] = "1h"
    max_cost: Annotated[
        Positive | None,
        describe_field(
            "The job is stopped before it costs more, in the currency of its price: `mlctl flavor list`.",
            must="a number above 0",
            example=20,
        ),
    ] = None
    env: Annotated[
        dict[
            Annotated[
                str,
                describe_field("Name.", must=_ENV_RULE, example="OMP_NUM_THREADS", pattern=_ENV_NAME),
            ],
            Annotated[str, describe_field("Value.", must="text", example="1")],
        ],
        describe_field(
            "Environment variables of the script.", must="a mapping of names to text", example={"OMP_NUM_THREADS": "1"}
        ),
    ] = {}
    variables: Annotated[
        dict[
            Annotated[str, describe_field("Name.", must=_ENV_RULE, example="BUCKET", pattern=_ENV_NAME)],
            Annotated[
                str | None,
                describe_field(
                    "Default; null: it must be set in the environment.",
                    must="text, or nothing where the environment must have it",
                    example="my-bucket",
                ),
            ],
        ],
        describe_field(
            "Names that `${NAME}` stands for in other values: taken from the environment, else this default.",
            must="a mapping of names to text or nothing",
            example={"BUCKET": "my-bucket"},
        ),
    ] = {}
    kubernetes: Annotated[
        Kubernetes,
        describe_field(
            "What only a cluster knows, such as a queue or volumes; jobs on this machine ignore it.",
            must="a mapping",
            example={"queue": "team-a", "priority_class": "high"},
        ),
    ] = Kubernetes()
    description: Annotated[str, describe_field("For people.", must="text", example="LeNet, more epochs")] = ""

    def __post_init__(self) -> None:
        for name, pattern in self.metrics.items():
            try:
                own_pattern(name, pattern)
            except UsageError as error:
                raise FieldError("metrics", f"has a pattern for `{name}` that {error.message}") from error
        try:
            seconds = quantities.parse_duration(self.max_duration)
        except UsageError as error:
            raise FieldError("max_duration", f"is impossible: {error}") from error
        if not seconds:
            raise FieldError("max_duration", "must be more than no time; for example: `max_duration: 1h`")

    @property
    def max_seconds(self) -> int:
        """`max_duration` in seconds."""
        return quantities.parse_duration(self.max_duration)
