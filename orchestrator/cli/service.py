"""`mlctl service`: what answers."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import complete, terminal
from orchestrator.cli.group import group
from orchestrator.cli.options import (
    AsIsOption,
    ContextOption,
    OutputOption,
    TokenOption,
    YesOption,
    checked,
    open_client,
)
from orchestrator.cli.render import show_list, show_one, write, writing
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.services.state import ServiceView

app = group("Services that answer: their state, versions, shares, logs.")

ServiceArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The service.", callback=checked("service"), autocompletion=complete.services),
]


@app.command("list")
def list_(output: OutputOption = None, context: ContextOption = None) -> None:
    """List the services, each asked how it is."""
    from orchestrator.cli.service_view import columns, document, warn_of_unused

    views = open_client(context).services.list()
    show_list(
        views,
        output,
        name=lambda view: view.record.name,
        columns=columns(),
        empty="no services yet; the first one: mlctl deploy MODEL",
        document=document,
    )
    warn_of_unused(views)


@app.command()
def get(name: ServiceArgument, output: OutputOption = None, context: ContextOption = None) -> None:
    """Show all about a service: its state, versions, and who changed what."""
    _show(open_client(context).services.get(name), output)


@app.command()
def traffic(
    name: ServiceArgument,
    weights: Annotated[
        str, typer.Argument(metavar="V=N,...", help="Shares in per cent, as in v2=90,v3=10; aliases, too.")
    ],
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Share the requests among versions; those that are not named get none and are unloaded."""
    _show(open_client(context).services.traffic(name, _parse(weights)), output)


@app.command()
def rollback(name: ServiceArgument, output: OutputOption = None, context: ContextOption = None) -> None:
    """Answer with what was in force before."""
    _show(open_client(context).services.rollback(name), output)


@app.command()
def scale(
    name: ServiceArgument,
    replicas: Annotated[int, typer.Argument(metavar="N", help="Number of replicas.", min=1)],
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Have a service on a cluster run in so many replicas."""
    _show(open_client(context).services.scale(name, replicas), output)


@app.command()
def start(name: ServiceArgument, output: OutputOption = None, context: ContextOption = None) -> None:
    """Have a service run again that was stopped, or whose machine was restarted."""
    _show(open_client(context).services.start(name), output)


@app.command()
def stop(name: ServiceArgument, output: OutputOption = None, context: ContextOption = None) -> None:
    """End a service; requests under way are answered. `start` has it run again as it was."""
    _show(open_client(context).services.stop(name), output)


@app.command()
def delete(name: ServiceArgument, yes: YesOption = False, context: ContextOption = None) -> None:
    """End a service and forget it; its models stay."""
    services = open_client(context).services
    services.get(name)
    terminal.confirm_deletion(name, yes=yes)
    services.delete(name)
    write(f"{name} deleted\n")


@app.command()
def test(
    name: ServiceArgument,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="NAME",
            help="Pictures with labels, as NAME or NAME/V0003; by default what the model was trained with.",
            autocompletion=complete.datasets,
        ),
    ] = "",
    number: Annotated[int, typer.Option("--number", "-n", metavar="N", help="Of pictures.", min=1)] = 100,
    parallel: Annotated[int, typer.Option("--parallel", metavar="N", help="Requests under way.", min=1, max=256)] = 1,
    as_is: AsIsOption = False,
    token: TokenOption = None,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Ask a service about pictures whose answers are known: how often it is right, and how long it takes.

    They are sent as the model's config.json says that it takes pictures, as `mlctl predict` does.
    """
    from orchestrator.cli.service_view import trial_details

    trial = open_client(context).try_service(
        name, data=data, number=number, parallel=parallel, as_is=as_is, token=token or ""
    )
    show_one(trial, output, name=name, details=trial_details)


@app.command()
def token(name: ServiceArgument, context: ContextOption = None) -> None:
    """Make a new token and show it; the one before opens no door any more."""
    write(open_client(context).services.new_token(name) + "\n")


@app.command()
def logs(
    name: ServiceArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    models: Annotated[bool, typer.Option("--models", help="What the models' own code says, instead.")] = False,
    context: ContextOption = None,
) -> None:
    """Show what a service says: a line of JSON for each request, and what befell it."""
    with writing():
        for block in open_client(context).services.logs(name, models=models, follow=follow):
            sys.stdout.buffer.write(block)
            if follow or not block:
                sys.stdout.buffer.flush()
        sys.stdout.buffer.flush()


def _show(view: "ServiceView", output: OutputOption) -> None:
    from orchestrator.cli.service_view import show

    show(view, output)


def _parse(text: str) -> dict[str, int]:
    """Return weights by version, as they are written."""
    found: dict[str, int] = {}
    for part in text.split(","):
        version, _, weight = part.strip().partition("=")
        number = weight.removesuffix("%")
        if not version or not number.isdecimal():
            raise UsageError(f"{part.strip()!r} is not a share", hint="as in v2=90,v3=10")
        if version in found:
            raise UsageError(f"{version} is named twice", hint="as in v2=90,v3=10")
        found[version] = int(number)
    return found
