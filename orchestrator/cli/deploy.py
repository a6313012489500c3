"""`mlctl deploy`: from a version to an answer."""

import re
from typing import TYPE_CHECKING

import typer

from orchestrator.cli import deploy_options as options
from orchestrator.cli.deploy_options import DeployFormat
from orchestrator.cli.options import LATEST, ContextOption, open_client, split
from orchestrator.cli.render import Format, next_steps, note, show_objects
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.services.wanted import Options

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

WHOLE = 100  # per cent


@app.command()
def deploy(
    model: options.ModelArgument = None,
    version: options.VersionOption = None,
    name: options.NameOption = None,
    traffic: options.TrafficOption = WHOLE,
    shadow: options.ShadowOption = False,
    engine: options.EngineOption = None,
    env: options.EnvOption = None,
    port: options.PortOption = 0,
    open_: options.OpenOption = False,
    replicas: options.ReplicasOption = None,
    max_replicas: options.MaxReplicasOption = None,
    cpus: options.CpusOption = None,
    memory: options.MemoryOption = None,
    gpus: options.GpusOption = None,
    ingress: options.IngressOption = None,
    gateway: options.GatewayOption = None,
    server: options.ServerOption = None,
    dry_run: options.DryRunOption = False,
    output: options.FormatOption = None,
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
    asked: Options = {
        "name": name,
        "traffic": None if shadow else traffic,
        "engine": engine,
        "port": port,
        "open": open_,
        "shape": shape,
        "environment": _variables(env or []),
    }
    client = open_client(context)
    name_of, chosen = (None, version) if model is None else split(model, version)
    found = client.deployable(name_of, chosen or LATEST)
    if dry_run:
        objects = client.services.manifests(
            found, form="kserve" if output is DeployFormat.KSERVE else "objects", **asked
        )
        show_objects(objects, Format.JSON if output is DeployFormat.JSON else Format.YAML)
        return
    view, token = client.services.deploy(found, **asked)
    show(view, Format(output.value) if output else None)
    if token:
        note(f"token: {token} (shown once; this machine's mlctl keeps it)")
    if output is None:
        if not view.record.token:
            note(f"it asks for no token; mlctl service token {view.record.name} makes one")
        next_steps(f"mlctl predict {view.record.name} FILE", f"mlctl service get {view.record.name}")


def _variables(texts: list[str]) -> dict[str, str]:
    """Return variables by name. Raises UsageError."""
    for text in texts:
        if not re.match(r"[A-Za-z_][A-Za-z0-9_]*=", text):
            raise UsageError(f"{text!r} is not a variable", hint="as in --env input_data_shape=0,1,28,28")
    return dict(text.split("=", 1) for text in texts)
