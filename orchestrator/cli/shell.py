"""`mlctl job shell`."""

import os
import sys
from typing import Annotated

import typer

from orchestrator.cli import terminal
from orchestrator.cli.options import ContextOption, JobVersionOption, open_client, pick
from orchestrator.errors import NotFoundError, UsageError

SEPARATOR = "--"


def shell(
    invocation: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME] [-- COMMAND...]",
            help="The job, by default the last one created from this folder; and a command instead of a shell.",
            show_default=False,
        ),
    ] = None,
    version: JobVersionOption = None,
    worker: Annotated[int, typer.Option("--worker", metavar="N", help="Of a job with several nodes.", min=0)] = 0,
    context: ContextOption = None,
) -> None:
    """Open a shell beside a running script, in its folder and with its variables; or run one command there.

    On a cluster that is in the script's container, through kubectl.
    """
    names, command = _split(words or [], invocation.find_root().obj)
    client = open_client(context)
    name, latest = (names[0], None) if names else client.jobs.last()
    name, chosen = pick(name, version or latest)
    argv, environment, folder = client.jobs.session(
        name, chosen, command, worker=worker, terminal=terminal.is_interactive()
    )
    sys.stdout.flush()
    try:
        if folder:
            os.chdir(folder)
        os.execvpe(argv[0], argv, os.environ if environment is None else environment)
    except OSError as error:
        raise NotFoundError(f"cannot run {argv[0]}: {error.strerror}", hint="name another command") from error


def _split(words: list[str], line: list[str]) -> tuple[list[str], list[str]]:
    """Return the words before and after `--`, which the parser leaves out."""
    after = len(line) - line.index(SEPARATOR) - 1 if SEPARATOR in line else 0
    names, command = words[: len(words) - after], words[len(words) - after :]
    if len(names) > 1:
        raise UsageError("a command comes after --", hint=f"mlctl job shell {names[0]} -- {' '.join(names[1:])}")
    return names, command
