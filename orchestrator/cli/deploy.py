"""`mlctl deploy`: from a version to an answer."""

import re
from enum import StrEnum
from typing import Annotated, Literal

import typer

from orchestrator.cli import complete
from orchestrator.cli.options import LATEST, ContextOption, checked, open_client
from orchestrator.cli.render import Format, next_steps, note, show_objects
from orchestrator.errors import UsageError

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

WHOLE = 100  # per cent


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


@app.command()
def deploy(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="The model, or a job that has made one; by default of the last job created from this folder.",
            callback=checked("model"),
            autocompletion=complete.models,
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        str,
        typer.Option(
            "--version",
            "-v",
            metavar="V",
            help="Version, as in v3, or an alias.",
            autocompletion=complete.model_versions,
        ),
    ] = LATEST,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The service; by default named as the model.")
    ] = None,
    traffic: Annotated[
        int, typer.Option("--traffic", metavar="PERCENT", help="Its share; the versions of before keep the rest.")
    ] = WHOLE,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="It gets copies of the requests, and its answers are thrown away.")
    ] = False,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine", metavar="NAME", help="What serves it, if not what trained it.", autocompletion=complete.engines
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME=VALUE", help="Variable for the model's own code; may be repeated."),
    ] = None,
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", help="Of a new service; by default any that is free.", min=0, max=65535),
    ] = 0,
    replicas: Annotated[
        int | None, typer.Option("--replicas", metavar="N", help="On a cluster: pods.", show_default=False, min=1)
    ] = None,
    max_replicas: Annotated[
        int | None,
        typer.Option("--max-replicas", metavar="N", help="Pods at most, as the load grows.", show_default=False, min=0),
    ] = None,
    cpus: Annotated[
        float | None, typer.Option("--cpus", metavar="N", help="Of each pod's model; 1 by default.", show_default=False)
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option("--memory", metavar="SIZE", help="Of each pod's model; 2Gi by default.", show_default=False),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option("--gpus", metavar="N", help="Of each pod's model.", show_default=False, min=0)
    ] = None,
    ingress: Annotated[
        str | None,
        typer.Option("--ingress", metavar="HOST", help="The name by which it is reached from outside."),
    ] = None,
    gateway: Annotated[
        str | None, typer.Option("--gateway", metavar="NAME", help="The Gateway that leads to it, not an Ingress.")
    ] = None,
    server: Annotated[
        ServerName | None,
        typer.Option(
            "--server",
            metavar="engine|tfserving",
            help="What has the models on a cluster; TensorFlow Serving has an image.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the objects for the cluster, make none.")] = False,
    output: Annotated[
        DeployFormat | None,
        typer.Option("--output", "-o", metavar="json|yaml|name|kserve", help="Write this instead of a table."),
    ] = None,
    context: ContextOption = None,
) -> None:
    """Have a service answer with a model version.

    Returns when it does. A service that runs loads the version beside those it has, and changes over without losing a
    request. What is said of pods stays so with later versions. With --dry-run -o kserve an InferenceService is shown.

    \b
    mlctl deploy mnist-mxnet --version v1
    mlctl deploy mnist-mxnet --version v2 --traffic 10
    """
    from orchestrator.cli.service_view import show

    shape: dict[str, object] = {
        "replicas": replicas,
        "max_replicas": max_replicas,
        "cpus": cpus,
        "memory": memory,
        "gpus": gpus,
        "ingress": ingress,
        "gateway": gateway,
        "server": server.value if server else None,
    }
    if output is DeployFormat.KSERVE and not dry_run:
        raise UsageError("-o kserve shows what KServe would be given", hint="add --dry-run")
    if shadow and traffic != WHOLE:
        raise UsageError("a shadow has no share of the requests", hint="leave --traffic out")
    share = None if shadow else traffic
    variables = _variables(env or [])
    client = open_client(context)
    found = client.deployable(model, version)
    if dry_run:
        form: Literal["kserve", "objects"] = "kserve" if output is DeployFormat.KSERVE else "objects"
        objects = client.services.manifests(
            found, name=name, traffic=share, engine=engine, shape=shape, environment=variables, form=form
        )
        show_objects(objects, Format.JSON if output is DeployFormat.JSON else Format.YAML)
        return
    view, token = client.services.deploy(
        found, name=name, traffic=share, engine=engine, port=port, shape=shape, environment=variables
    )
    show(view, Format(output.value) if output else None)
    if output is None:
        if token:
            note(f"token: {token} (shown once; this machine's mlctl keeps it)")
        next_steps(f"mlctl predict {view.record.name} FILE", f"mlctl service get {view.record.name}")


def _variables(texts: list[str]) -> dict[str, str]:
    """Return variables by name. Raises UsageError."""
    for text in texts:
        if not re.match(r"[A-Za-z_][A-Za-z0-9_]*=", text):
            raise UsageError(f"{text!r} is not a variable", hint="as in --env input_data_shape=0,1,28,28")
    return dict(text.split("=", 1) for text in texts)
