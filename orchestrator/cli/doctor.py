"""`mlctl doctor`: is everything there that jobs need?"""

import sys
from typing import Annotated

import typer

from orchestrator.cli import terminal
from orchestrator.cli.options import ContextOption, OutputOption
from orchestrator.cli.render import STATE_STYLES, Format, count, encode, write
from orchestrator.errors import PreflightError

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command()
def doctor(
    no_pod: Annotated[bool, typer.Option("--no-pod", help="Start no pod on the cluster.")] = False,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Check this machine and the store, and say what to do; exit 3 if something fails.

    Where jobs run on a cluster, that is checked too: with a short pod that tries the runtime image and the store.
    """
    from orchestrator.doctor import Finding, Level, findings

    found: list[Finding] = []
    for finding in findings(context, pod=not no_pod):
        found.append(finding)
        if output is None:
            level = terminal.paint(f"{finding.level:<4}", STATE_STYLES[finding.level], sys.stdout)
            hint = f"; {finding.hint}" if finding.hint else ""
            write(f"{level}  {terminal.clean(f'{finding.subject:<18} {finding.message}{hint}')}\n")
            sys.stdout.flush()
    if output is Format.NAME:
        write("".join(f"{finding.subject}\n" for finding in found if finding.level is not Level.OK))
    elif output:
        write(encode(found, output))
    if failed := sum(finding.level is Level.FAIL for finding in found):
        raise PreflightError(f"{count(failed, 'check')} failed", hint="do what is said beside it, then: mlctl doctor")
