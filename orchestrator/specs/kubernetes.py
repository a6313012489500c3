"""The section `kubernetes` of a job spec: what only a cluster knows. Other backends ignore it."""

from typing import Annotated, Any, Literal

import msgspec

from orchestrator.errors import UsageError
from orchestrator.specs import quantities
from orchestrator.specs.fields import FieldError, describe_field
from orchestrator.specs.kubernetes_names import (
    DATA_KEY,
    ENV_NAME,
    IMAGE,
    LABEL,
    NAME_RULE,
    WORD,
    Free,
    LabelKey,
    LabelValue,
    Name,
    OwnKey,
)
from orchestrator.specs.kubernetes_parts import Toleration, Volume
from orchestrator.specs.memory import Memory, check_memory

GPU_RESOURCE = "nvidia.com/gpu"
DEFAULT_TTL = "1d"
MAX_RETRIES = 100
OWN_PATHS = ("/mlctl", "/cache", "/dev/shm")  # volumes that every pod has


class Kubernetes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What only a cluster knows. What is left open is the context's choice, then the default told here."""

    image: Annotated[
        Annotated[str, msgspec.Meta(pattern=f"^{IMAGE}$", max_length=512)] | None,
        describe_field(
            "Container image to run the script in, instead of the engine's.",
            must="an image, such as `registry.lab/team/mxnet:1.9`",
            example="registry.lab/team/mxnet:1.9",
        ),
    ] = None
    image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"] | None,
        describe_field(
            "When images are pulled; by default the cluster decides by their tags.",
            must="`Always`, `IfNotPresent` or `Never`",
            example="IfNotPresent",
        ),
    ] = None
    image_pull_secrets: Annotated[
        list[Annotated[Name, describe_field("A Secret.", must=NAME_RULE, example="registry-lab")]],
        describe_field(
            "Secrets with the registry's login.", must="a list of the names of Secrets", example=["registry-lab"]
        ),
    ] = []
    queue: Annotated[
        Name | None,
        describe_field("The Kueue LocalQueue that the job waits in.", must=NAME_RULE, example="team-a"),
    ] = None
    priority_class: Annotated[Name | None, describe_field("A PriorityClass.", must=NAME_RULE, example="high")] = None
    runtime_class: Annotated[Name | None, describe_field("A RuntimeClass.", must=NAME_RULE, example="nvidia")] = None
    service_account: Annotated[
        Name | None,
        describe_field("The ServiceAccount that the pods run as.", must=NAME_RULE, example="trainer"),
    ] = None
    node_selector: Annotated[
        dict[LabelKey, LabelValue],
        describe_field(
            "Labels that a node must have.", must="a mapping of labels to text", example={"disktype": "ssd"}
        ),
    ] = {}
    tolerations: Annotated[
        list[Annotated[Toleration, describe_field("A taint.", must="a mapping", example={"key": "nvidia.com/gpu"})]],
        describe_field(
            "Taints of nodes that the job may run on all the same.",
            must="a list of mappings",
            example=[{"key": "dedicated", "value": "training", "effect": "NoSchedule"}],
        ),
    ] = []
    affinity: Annotated[
        Free,
        describe_field(
            "`affinity` of the pod, in the words of Kubernetes.",
            must="a mapping",
            example={"podAntiAffinity": {}},
        ),
    ] = {}
    gpu_resource: Annotated[
        Annotated[str, msgspec.Meta(pattern=f"^(?=[^/]{{1,253}}/){LABEL}(?:\\.{LABEL})*/{WORD}$")] | None,
        describe_field(
            f"The resource that `gpus` counts; default `{GPU_RESOURCE}`.",
            must="the name of an extended resource, such as `nvidia.com/gpu`",
            example="amd.com/gpu",
        ),
    ] = None
    env_from: Annotated[
        list[
            Annotated[
                str,
                describe_field(
                    "A source.",
                    must="`secret/NAME` or `configmap/NAME`",
                    example="configmap/settings",
                    pattern=rf"^(?:secret|configmap)/(?=.{{1,253}}$){LABEL}(?:\.{LABEL})*$",
                ),
            ]
        ],
        describe_field(
            "Secrets and ConfigMaps whose keys become environment variables.",
            must="a list of `secret/NAME` and `configmap/NAME`",
            example=["configmap/settings"],
        ),
    ] = []
    secrets: Annotated[
        dict[
            Annotated[
                str,
                describe_field(
                    "Name.",
                    must="letters, digits and `_`, not starting with a digit",
                    example="WANDB_API_KEY",
                    pattern=f"^{ENV_NAME}$",
                ),
            ],
            Annotated[
                str,
                describe_field(
                    "Secret and key.",
                    must="`SECRET/KEY`",
                    example="wandb/api-key",
                    pattern=rf"^(?=[^/]{{1,253}}/){LABEL}(?:\.{LABEL})*/{DATA_KEY}$",
                ),
            ],
        ],
        describe_field(
            "Environment variables that come from Secrets, as `SECRET/KEY`.",
            must="a mapping of names to `SECRET/KEY`",
            example={"WANDB_API_KEY": "wandb/api-key"},
        ),
    ] = {}
    volumes: Annotated[
        dict[
            Annotated[
                str,
                describe_field(
                    "Where it is mounted.",
                    must="an absolute path without `..` and `:`, outside of /mlctl, /cache and /dev/shm",
                    example="/datasets",
                    pattern=rf"^(?!(?:{'|'.join(OWN_PATHS)})(?:/|$))(?:/(?!\.{{1,2}}(?:/|$))[^/:\x00]+)+$",
                    max_length=512,
                ),
            ],
            Annotated[Volume, describe_field("A volume.", must="a mapping", example={"pvc": "shared-data"})],
        ],
        describe_field(
            "What is mounted, by path.",
            must="a mapping of paths to volumes",
            example={"/datasets": {"pvc": "shared-data", "read_only": True}},
        ),
    ] = {}
    shm: Annotated[
        Memory | None,
        describe_field(
            "Size of /dev/shm, a part of the job's memory; default: half of it.",
            must="an amount of memory of at least 1Mi",
            example="8Gi",
            fix=quantities.suggest_memory,
        ),
    ] = None
    cache: Annotated[
        Memory | None,
        describe_field(
            "Limit of /cache, scratch space on the node's disk; default: none.",
            must="an amount of disk of at least 1Mi",
            example="100Gi",
            fix=quantities.suggest_memory,
        ),
    ] = None
    disk: Annotated[
        Memory | None,
        describe_field(
            "Limit of the folder with code, data and output, on the node's disk; default: none.",
            must="an amount of disk of at least 1Mi",
            example="50Gi",
            fix=quantities.suggest_memory,
        ),
    ] = None
    retries: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=MAX_RETRIES)] | None,
        describe_field(
            "How often a failed script is started again, default 0; lost nodes and preemption do not count.",
            must=f"a whole number from 0 to {MAX_RETRIES}",
            example=2,
        ),
    ] = None
    ttl: Annotated[
        Annotated[str, msgspec.Meta(pattern=quantities.DURATION_PATTERN)]
        | Annotated[int, msgspec.Meta(ge=0, le=quantities.MAX_DURATION)]
        | None,
        describe_field(
            f"How long the finished Job stays in the cluster, default {DEFAULT_TTL}; the store keeps everything.",
            must="a duration: 90s, 45m, 1h30m, 2d, or a number of seconds",
            example="1d",
            fix=quantities.suggest_duration,
        ),
    ] = None
    security: Annotated[
        Literal["restricted", "image"] | None,
        describe_field(
            "`restricted` (default): as user 1000 without privileges; `image`: as the image's own user.",
            must="`restricted` or `image`",
            example="restricted",
        ),
    ] = None
    labels: Annotated[
        dict[OwnKey, LabelValue],
        describe_field(
            "Labels of the Job and its pods.", must="a mapping of labels to text", example={"cost-centre": "a42"}
        ),
    ] = {}
    annotations: Annotated[
        dict[OwnKey, Annotated[str, describe_field("Value.", must="text", example="a42")]],
        describe_field(
            "Annotations of the Job and its pods.", must="a mapping of names to text", example={"example.com/team": "a"}
        ),
    ] = {}
    pod: Annotated[
        Free,
        describe_field(
            "Merged into the pod's `spec`, in the words of Kubernetes, as by `kubectl patch`; the container is `main`.",
            must="a mapping",
            example={"hostNetwork": True},
        ),
    ] = {}

    def __post_init__(self) -> None:
        for key in ("shm", "cache", "disk"):
            if (size := getattr(self, key)) is not None:
                check_memory(size, key)
        if self.ttl is not None:
            try:
                quantities.parse_duration(self.ttl)
            except UsageError as error:
                raise FieldError("ttl", f"is impossible: {error}") from error


def defaults_and(defaults: Kubernetes, own: Kubernetes) -> Kubernetes:
    """Return a job's section with what it leaves open taken from the context.

    Mappings are united, the job's keys win; lists are joined; of everything else the job's own value wins.
    """
    values: dict[str, Any] = {}
    for field in own.__struct_fields__:
        first, second = getattr(defaults, field), getattr(own, field)
        if isinstance(second, dict):
            values[field] = first | second
        elif isinstance(second, list):
            values[field] = first + [item for item in second if item not in first]
        else:
            values[field] = first if second is None else second
    return Kubernetes(**values)
