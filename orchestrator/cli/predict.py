"""`mlctl predict`: ask a service."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import complete
from orchestrator.cli.options import ContextOption, checked, open_client
from orchestrator.cli.render import Format, detail_lines, encode, write
from orchestrator.errors import UsageError

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

STDIN = "-"


@app.command()
def predict(
    service: Annotated[
        str,
        typer.Argument(
            metavar="SERVICE", help="The service.", callback=checked("service"), autocompletion=complete.services
        ),
    ],
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]", help="A picture or another file to send; - is JSON from stdin.", show_default=False
        ),
    ] = None,
    json: Annotated[str | None, typer.Option("--json", metavar="JSON", help="What to send instead of a file.")] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", metavar="TOKEN", envvar="MLCTL_TOKEN", help="If this machine does not know it."),
    ] = None,
    output: Annotated[
        Format | None, typer.Option("--output", "-o", metavar="json|yaml", help="Write this instead of lines.")
    ] = None,
    context: ContextOption = None,
) -> None:
    """Ask a service and show its answer.

    It is written as lines on a terminal, as JSON otherwise.
    """
    from orchestrator.services.ask import value_of

    if (file is None) == (json is None):
        raise UsageError("name either a file or --json", hint=f"mlctl predict {service} seven.png")
    services = open_client(context).services
    if file is not None and file != STDIN:
        answer = services.predict(service, files=[Path(file).expanduser()], token=token or "")
    else:
        data = sys.stdin.buffer.read() if file == STDIN else str(json).encode()
        answer = services.predict(service, json=data, token=token or "")
    value = value_of(answer, service)
    if output is None and sys.stdout.isatty() and isinstance(value, dict):
        lines = {str(key): _lines(one) for key, one in value.items()}
        write(detail_lines(lines | {"Model": answer.model}, sys.stdout))
    else:
        write(encode(value, output or Format.JSON))


def _lines(value: object) -> str:
    """Return a value as lines, a list's entries each in its own."""
    if not isinstance(value, list):
        return str(value)
    return "\n".join("  ".join(map(str, one)) if isinstance(one, list) else str(one) for one in value)
