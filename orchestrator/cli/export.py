"""`mlctl job export`."""

from enum import StrEnum
from typing import Annotated

import typer

from orchestrator.cli import complete
from orchestrator.cli.options import ContextOption, OutputOption, checked, open_client, pick
from orchestrator.cli.render import note, show_list
from orchestrator.errors import UsageError


class Target(StrEnum):
    """What `--to` takes."""

    MLFLOW = "mlflow"


def export(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The job, as NAME or NAME/V0003; by default all jobs.",
            callback=checked("job"),
            autocompletion=complete.jobs,
            show_default=False,
        ),
    ] = None,
    to: Annotated[Target, typer.Option("--to", metavar="mlflow", help="Where to.")] = Target.MLFLOW,
    versions: Annotated[
        list[str] | None,
        typer.Option(
            "--version",
            "-v",
            metavar="V",
            help="A version, as in v3; may be repeated. By default all.",
            autocompletion=complete.job_versions,
        ),
    ] = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            "--tracking-uri",
            metavar="URI",
            help="Of MLflow: http://HOST:5000, or a folder. By default MLFLOW_TRACKING_URI.",
            show_default=False,
        ),
    ] = None,
    files: Annotated[bool, typer.Option("--files/--no-files", help="With output, log and models.")] = True,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Write job versions as runs into MLflow: parameters, curves, where they come from, files, models.

    What is there already is not written again. It needs MLflow's client: pip install 'mlctl[mlflow]'.
    """
    if versions and name is None:
        raise UsageError("--version without a job", hint="mlctl job export NAME -v v3")
    client = open_client(context)
    if name is None:
        views = list(client.jobs.list(all_versions=True))
    elif versions or "/" in name:
        pairs = [pick(name, version) for version in versions or [""]]
        views = [client.jobs.get(*pair) for pair in pairs]
    else:
        views = list(client.jobs.list(name))
    if not views:
        note("no jobs yet: nothing to export")
        return
    show_list(
        list(client.export_to_mlflow(views, uri=tracking_uri, files=files)),
        output,
        name=lambda one: one.run,
        columns={
            "VERSION": lambda one: one.ref,
            "RUN": lambda one: one.run,
            "": lambda one: one.what,
            "MODELS": lambda one: ", ".join(one.models),
        },
        empty="nothing was exported",
    )
