"""The command `mlctl`: what there is, loaded only when it is used, and how every command ends."""

import gc
import os
import shlex
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from orchestrator.cli import complete
from orchestrator.cli.failure import INTERRUPTED, report, report_interruption
from orchestrator.cli.group import Group
from orchestrator.cli.render import output_error, write
from orchestrator.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

COLLECT_AFTER = 200_000  # new objects; with the usual 700, a list of 10,000 versions takes half a second longer
READER_GONE = 141  # what a shell reports of a program that SIGPIPE ended


class Entry(NamedTuple):
    """A top-level command: the heading it stands under, and its one-line help (as in its module)."""

    section: str
    help: str


# Each is in the module of its name, which `mlctl --help` does not import.
COMMANDS = {
    "job": Entry("Train", "Create training jobs, watch them, get what they made."),
    "logs": Entry("Train", "Show a job's log, live or of old."),
    "queue": Entry("Train", "List what runs and what waits, and for what."),
    "top": Entry("Train", "Show what running jobs use."),
    "tensorboard": Entry("Train", "Show the curves of a job's versions, as they grow."),
    "cost": Entry("Train", "Show what jobs and services have cost."),
    "sweep": Entry("Train", "Try a job with many parameters and find the best."),
    "dataset": Entry("Train", "Bring data into the store, as numbered versions."),
    "model": Entry("Deploy", "What training made, as numbered versions that can be deployed."),
    "deploy": Entry("Deploy", "Have a service answer with a model version."),
    "predict": Entry("Deploy", "Ask a service and show its answer."),
    "batch": Entry("Deploy", "Answers to many files or rows: what is done stays done."),
    "service": Entry("Deploy", "Services that answer: their state, versions, shares, logs."),
    "engine": Entry("Look up", "The framework environments that jobs run in."),
    "images": Entry("Look up", "The container images that jobs on a cluster run in."),
    "flavor": Entry("Look up", "The named sizes a job can ask for."),
    "schema": Entry("Look up", "The JSON Schema of what you write, for your editor."),
    "context": Entry("Set up", "Where things are kept and run: a store and a backend by name."),
    "store": Entry("Set up", "What holds everything: check it, see its size, tidy up."),
    "doctor": Entry("Set up", "Check this machine and the store, and say what to do."),
}


class Root(Group):
    """The top-level group, whose commands are imported on demand."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: dict[str, Any] = dict.fromkeys(COMMANDS)  # filled by get_command

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        if self.commands[cmd_name] is None:
            module = import_module(f"orchestrator.cli.{cmd_name}")
            command = typer.main.get_command(module.app)
            command.name = cmd_name
            self.commands[cmd_name] = command
        return self.commands[cmd_name]

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a reader of the output that has gone ends it without a word, Ctrl-C with the next step."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise typer.Exit(READER_GONE) from None
        except KeyboardInterrupt:
            report_interruption(shlex.join(["mlctl", *ctx.obj]))
            raise typer.Exit(INTERRUPTED) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands by section, without importing them."""
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            with formatter.section(section):
                formatter.write_dl(
                    [(f"{name:<8}", entry.help) for name, entry in COMMANDS.items() if entry.section == section]
                )


app = typer.Typer(
    cls=Root,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        write(f"mlctl {__version__}\n")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    subcommand_metavar="COMMAND",
    options_metavar="",
    epilog="Start here: mlctl job create job_specs/mnist-mxnet.yaml --follow",
)
def root(
    invocation: typer.Context,
    context: Annotated[
        str | None,
        typer.Option(
            "--context",
            "-c",
            metavar="NAME",
            help="Context to use instead of the current one.",
            autocompletion=complete.contexts,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """A training script, a dataset and one YAML file become numbered model versions, here or on your cluster."""
    if invocation.invoked_subcommand is None:
        write(invocation.get_help() + "\n")


def _named(arguments: "Sequence[str]") -> str:
    """Return the command that a command line names, as in `mlctl job get`."""
    command: Any = typer.main.get_command(app)
    path = ["mlctl"]
    for word in arguments:
        if word in getattr(command, "commands", ()):
            command = command.get_command(None, word)
            path.append(word)
    return " ".join(path)


def run(arguments: "Sequence[str]") -> int:
    """Run one command line and return its exit code; says on stderr what went wrong."""
    try:
        result = app(args=list(arguments), prog_name="mlctl", standalone_mode=False, obj=arguments)
        code = result if isinstance(result, int) else 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (the one place where everything ends)
        code = report(error, command=lambda: _named(arguments))
    try:
        sys.stdout.flush()
    except OSError as error:
        # Let the rest go nowhere: the interpreter would try to write it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or (READER_GONE if isinstance(error, BrokenPipeError) else report(output_error(error)))
    return code


def main() -> None:
    """Be the console script `mlctl`."""
    gc.set_threshold(COLLECT_AFTER)
    # A program may be started with its streams closed; and not every terminal knows every character.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = run(sys.argv[1:])
    with suppress(OSError):
        sys.stderr.flush()
    # At once: to take everything apart in order would take the interpreter a sixth of a short command's time.
    os._exit(code)


if __name__ == "__main__":
    main()
