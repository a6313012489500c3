"""`mlctl deploy`: from a version to an answer."""

from typing import Annotated

import typer

from orchestrator.cli import complete
from orchestrator.cli.options import LATEST, ContextOption, OutputOption, checked, open_client
from orchestrator.cli.render import next_steps, note

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


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
    ] = 100,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine", metavar="NAME", help="What serves it, if not what trained it.", autocompletion=complete.engines
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", help="Of a new service; by default any that is free.", min=0, max=65535),
    ] = 0,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Have a service answer with a model version.

    Returns when it does. A service that runs loads the version beside those it has, and changes over without losing a
    request.
    """
    from orchestrator.cli.service_view import show

    client = open_client(context)
    found = client.deployable(model, version)
    view, token = client.services.deploy(found, name=name, traffic=traffic, engine=engine, port=port)
    show(view, output)
    if output is None:
        if token:
            note(f"token: {token} (shown once; this machine's mlctl keeps it)")
        next_steps(f"mlctl predict {view.record.name} FILE", f"mlctl service get {view.record.name}")
