"""What lists and mappings of the section `kubernetes` hold: tolerations and volumes."""

from typing import Annotated, Literal

import msgspec

from orchestrator.specs import quantities
from orchestrator.specs.fields import FieldError, describe_field
from orchestrator.specs.kubernetes_names import KEY, KEY_RULE, NAME_RULE, VALUE_RULE, WORD, Name
from orchestrator.specs.memory import Memory, check_memory

SOURCES = ("pvc", "empty_dir", "config_map", "secret")  # of a volume


class Toleration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A taint of nodes that the job may run on all the same."""

    key: Annotated[
        Annotated[str, msgspec.Meta(pattern=f"^{KEY}$")] | None,
        describe_field("Key of the taint; without it, any taint.", must=KEY_RULE, example="nvidia.com/gpu"),
    ] = None
    operator: Annotated[
        Literal["Exists", "Equal"] | None,
        describe_field(
            "Whether the value counts; by default it does if there is one.",
            must="`Exists` or `Equal`",
            example="Exists",
        ),
    ] = None
    value: Annotated[
        Annotated[str, msgspec.Meta(pattern=f"^(?:{WORD})?$")] | None,
        describe_field("Value of the taint.", must=VALUE_RULE, example="training"),
    ] = None
    effect: Annotated[
        Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None,
        describe_field(
            "Effect of the taint; without it, any.",
            must="`NoSchedule`, `PreferNoSchedule` or `NoExecute`",
            example="NoSchedule",
        ),
    ] = None
    toleration_seconds: Annotated[
        Annotated[int, msgspec.Meta(ge=0)] | None,
        describe_field("How long a NoExecute taint is tolerated.", must="a number of seconds", example=300),
    ] = None

    def __post_init__(self) -> None:
        if self.key is None and (self.operator == "Equal" or self.value):
            raise FieldError("value", "needs the `key` of a taint")
        if self.operator == "Exists" and self.value:
            raise FieldError("operator", "`Exists` takes no `value`; leave one of the two out")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise FieldError("toleration_seconds", "is for `effect: NoExecute` only")


class Volume(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is mounted at a path of the script's container: exactly one source."""

    pvc: Annotated[Name | None, describe_field("A PersistentVolumeClaim.", must=NAME_RULE, example="shared-data")] = (
        None
    )
    empty_dir: Annotated[
        Memory | None,
        describe_field(
            "An empty folder on the node's disk, of at most this size.",
            must="an amount of disk of at least 1Mi",
            example="50Gi",
            fix=quantities.suggest_memory,
        ),
    ] = None
    config_map: Annotated[
        Name | None, describe_field("A ConfigMap, each key a file.", must=NAME_RULE, example="settings")
    ] = None
    secret: Annotated[Name | None, describe_field("A Secret, each key a file.", must=NAME_RULE, example="wandb")] = None
    read_only: Annotated[
        bool, describe_field("Whether the script may only read it.", must="true or false", example=True)
    ] = False

    def __post_init__(self) -> None:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) > 1:
            raise FieldError(given[1], f"stands beside `{given[0]}`; a volume has one source")
        if not given:
            raise FieldError("pvc", f"is missing: a volume has one of {', '.join(SOURCES)}")
        if self.empty_dir is not None:
            check_memory(self.empty_dir, "empty_dir")
