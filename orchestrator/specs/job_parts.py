"""Parts of a job spec."""

from typing import Annotated, TypeAlias

import msgspec

from orchestrator.specs import quantities
from orchestrator.specs.fields import FieldError, describe_field
from orchestrator.specs.kubernetes_names import WORD
from orchestrator.specs.memory import Memory, check_memory
from orchestrator.specs.names import NAME_PATTERN, NAME_RULE, suggest_name

Positive: TypeAlias = Annotated[int, msgspec.Meta(gt=0)] | Annotated[float, msgspec.Meta(gt=0)]


def describe_name(description: str, *, example: str) -> msgspec.Meta:
    """Return the annotation of a field that names what the user makes."""
    return describe_field(description, must=NAME_RULE, example=example, fix=suggest_name, pattern=NAME_PATTERN)


class Resources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each node of a job gets: a named flavor, or sizes.

    `orchestrator.specs.flavors.resolve_resources` tells the sizes in either case.
    """

    flavor: Annotated[
        str | None,
        describe_field(
            "A named size: `mlctl flavor list`. It excludes cpus, memory, gpus and gpu_type.",
            must="the name of a flavor",
            example="cpu.small",
        ),
    ] = None
    cpus: Annotated[
        Positive | None,
        describe_field("Processor cores.", must="a number of cores above 0", example=4),
    ] = None
    memory: Annotated[
        Memory | None,
        describe_field(
            "Memory, as a Kubernetes quantity.",
            must="an amount of memory of at least 1Mi",
            example="32Gi",
            fix=quantities.suggest_memory,
        ),
    ] = None
    gpus: Annotated[int, describe_field("Number of GPUs.", must="a whole number, 0 or more", example=2, ge=0)] = 0
    gpu_type: Annotated[
        Annotated[str, msgspec.Meta(pattern=f"^{WORD}$")] | None,
        describe_field(
            "Kind of GPU.",
            must="at most 63 letters, digits, `-`, `_` and `.`, beginning and ending with a letter or a digit",
            example="p100",
        ),
    ] = None
    nodes: Annotated[
        int, describe_field("Number of machines, each of this size.", must="a whole number, 1 or more", example=1, ge=1)
    ] = 1

    def __post_init__(self) -> None:
        sizes = {"cpus": self.cpus, "memory": self.memory, "gpus": self.gpus, "gpu_type": self.gpu_type}
        if self.flavor is not None and (given := [name for name, size in sizes.items() if size]):
            reason = f"already says what `{given[0]}` is; write one of the two (to replace all: --set 'resources="
            raise FieldError("flavor", reason + "{flavor: NAME}')")
        if self.gpu_type and not self.gpus:
            raise FieldError("gpu_type", "needs a number of GPUs; for example: `gpus: 1`")
        if self.memory is not None:
            check_memory(self.memory)


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model that a job's output becomes when it succeeds."""

    name: Annotated[
        str,
        describe_name("Name in the registry of models.", example="mnist-mxnet"),
    ]
