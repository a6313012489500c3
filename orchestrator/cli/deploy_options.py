"""Arguments and options of `mlctl deploy`."""

from enum import StrEnum
from typing import Annotated

import typer

from orchestrator.cli import complete
from orchestrator.cli.options import checked


class ServerName(StrEnum):
    """What has the models."""

    ENGINE = "engine"
    TFSERVING = "tfserving"


class DeployFormat(StrEnum):
    """What `-o` takes here."""

    JSON = "json"
    YAML = "yaml"
    NAME = "name"
    KSERVE = "kserve"


ModelArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL]",
        help="The model, or a job that has made one, as NAME or NAME/V0003; by default of the last job created here.",
        callback=checked("model"),
        autocompletion=complete.models,
        show_default=False,
    ),
]
VersionOption = Annotated[
    str | None,
    typer.Option(
        "--version",
        "-v",
        metavar="V",
        help="Version, as in v3, or an alias; by default the latest.",
        show_default=False,
        autocompletion=complete.model_versions,
    ),
]
NameOption = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="The service; by default named as the model.")
]
TrafficOption = Annotated[
    int, typer.Option("--traffic", metavar="PERCENT", help="Its share; the versions of before keep the rest.")
]
ShadowOption = Annotated[
    bool, typer.Option("--shadow", help="It gets copies of the requests, and its answers are thrown away.")
]
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="NAME", help="What serves it, if not what trained it.", autocompletion=complete.engines
    ),
]
EnvOption = Annotated[
    list[str] | None,
    typer.Option("--env", metavar="NAME=VALUE", help="Variable for the model's own code; may be repeated."),
]
PortOption = Annotated[
    int,
    typer.Option("--port", metavar="N", help="Of a new service; by default any that is free.", min=0, max=65535),
]
OpenOption = Annotated[
    bool, typer.Option("--open", help="A new service asks for no token: for clients that cannot send one.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the objects for the cluster, make none.")]
FormatOption = Annotated[
    DeployFormat | None,
    typer.Option("--output", "-o", metavar="json|yaml|name|kserve", help="Write this instead of a table."),
]

# What only a cluster knows.
ReplicasOption = Annotated[
    int | None, typer.Option("--replicas", metavar="N", help="On a cluster: pods.", show_default=False, min=1)
]
MaxReplicasOption = Annotated[
    int | None,
    typer.Option("--max-replicas", metavar="N", help="Pods at most, as the load grows.", show_default=False, min=0),
]
CpusOption = Annotated[
    float | None, typer.Option("--cpus", metavar="N", help="Of each pod's model; 1 by default.", show_default=False)
]
MemoryOption = Annotated[
    str | None,
    typer.Option("--memory", metavar="SIZE", help="Of each pod's model; 2Gi by default.", show_default=False),
]
GpusOption = Annotated[
    int | None, typer.Option("--gpus", metavar="N", help="Of each pod's model.", show_default=False, min=0)
]
IngressOption = Annotated[
    str | None,
    typer.Option("--ingress", metavar="HOST", help="The name by which it is reached from outside."),
]
GatewayOption = Annotated[
    str | None, typer.Option("--gateway", metavar="NAME", help="The Gateway that leads to it, not an Ingress.")
]
ServerOption = Annotated[
    ServerName | None,
    typer.Option(
        "--server",
        metavar="engine|tfserving",
        help="What has the models on a cluster; TensorFlow Serving has an image.",
    ),
]
