"""Writes docs/cli.md, the reference of all commands: `python -m orchestrator.cli.reference > docs/cli.md`."""

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import typer

from orchestrator.cli.main import COMMANDS, app

HEAD = """\
# Command line reference

<!-- Made from the code by `python -m orchestrator.cli.reference > docs/cli.md`; change it there. -->

Results go to stdout, everything else (progress, notes, next steps, errors) to stderr. `-o json`,
`-o yaml` and `-o name` write a document, or names alone, for other programs. Colours, bars and
questions appear on a terminal only; `NO_COLOR` switches colours off. What a command's end means:
[exit codes](exit-codes.md). Names and versions complete with the tabulator key after
`mlctl --install-completion`.

| variable | meaning |
|---|---|
| `MLCTL_HOME` | folder of mlctl's own data, the embedded store among it |
| `MLCTL_CACHE` | folder of what can be made again: engine environments, downloads |
| `MLCTL_CONTEXT` | context to use instead of the current one |
| `MLCTL_ENGINES` | folders of your own engines, separated as in `PATH` |
| `MLCTL_CPUS` | CPUs that jobs on this machine may take together |
| `MLCTL_DEBUG=1` | show the traceback of an unexpected error |
| `NO_COLOR` | no colours |
"""


def reference() -> str:
    """Return the reference of all commands as Markdown."""
    root: Any = typer.main.get_command(app)
    with root.make_context("mlctl", [], resilient_parsing=True) as context:
        lines = [HEAD, *_options(root)]
        for name in COMMANDS:
            lines += _command(root.get_command(context, name), f"mlctl {name}", level=2)
    return "\n".join(lines) + "\n"


def _command(command: Any, path: str, *, level: int) -> Iterator[str]:
    """Yield the lines about a command and those below it."""
    yield f"{'#' * level} {path}\n"
    yield _help(command)
    if children := getattr(command, "commands", None):
        for name, child in children.items():
            yield from _command(child, f"{path} {name}", level=level + 1)
        return
    arguments = [param.metavar for param in command.params if param.param_type_name == "argument"]
    options = ["[OPTIONS]"] if len(arguments) < len(command.params) else []
    yield f"```\n{' '.join([path, *arguments, *options])}\n```\n"
    yield from _options(command)


def _help(command: Any) -> str:
    text = inspect.cleandoc(command.help).replace("\b\n", "```sh\n")
    return f"{text}\n```\n" if "```sh" in text else f"{text}\n"


def _options(command: Any) -> Iterator[str]:
    if not command.params:
        return
    yield "| | |\n|---|---|"
    for param in command.params:
        if param.param_type_name == "argument":
            names = param.metavar
        else:
            value = "" if param.is_flag else f" {param.metavar}"
            names = ", ".join(sorted(param.opts, key=len)) + value
        required = " Required." if param.required and param.param_type_name == "option" else ""
        yield f"| `{names.replace('|', chr(92) + '|')}` | {param.help}{required} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(reference())
