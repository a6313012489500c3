"""How a command fails: one sentence, one hint, one exit code (docs/exit-codes.md)."""

import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import typer

from orchestrator.cli.render import next_steps, note, output_error
from orchestrator.cli.terminal import clean, paint
from orchestrator.errors import MlctlError

UNEXPECTED = 1
INTERRUPTED = 130

# The base class of all that typer finds wrong with a command line; only its subclasses are public.
_CommandLineError: type[typer.BadParameter] = typer.BadParameter.__mro__[2]


def report(error: BaseException, *, command: Callable[[], str] = lambda: "mlctl") -> int:
    """Say on stderr what went wrong and what to do, and return the exit code.

    Args:
        error: What ended the command.
        command: Gives the name of that command.
    """
    if isinstance(error, OSError) and _in_echo(error):
        error = output_error(error)
    if isinstance(error, MlctlError):
        _tell(error.message, error.hint)
        return error.exit_code
    if isinstance(error, _CommandLineError):
        context = getattr(error, "ctx", None)
        message = error.format_message().rstrip(".")
        _tell(message[:1].lower() + message[1:], f"{context.command_path if context else command()} --help")
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        report_interruption()
        return INTERRUPTED
    text = "".join(traceback.format_exception(error))
    if os.environ.get("MLCTL_DEBUG") == "1":
        sys.stderr.write(text)
        where = ""
    else:
        where = f" with {path}" if (path := _keep(text)) else " with the output under MLCTL_DEBUG=1"
    summary = f"{type(error).__name__}: {error}".rstrip(": ").partition("\n")[0]
    _tell(f"{summary}; please report this{where}", "", label="unexpected error:")
    return UNEXPECTED


def report_interruption(again: str = "") -> None:
    """Say that Ctrl-C ended the command, and how to run it again: long work goes on where it stopped."""
    note("\ninterrupted")
    if again:
        next_steps(clean(again))


def _in_echo(error: OSError) -> bool:
    """Tell whether typer met the error when it wrote something, such as help."""
    *_, (frame, _line) = traceback.walk_tb(error.__traceback__)
    return frame.f_code is typer.echo.__code__


def _tell(message: str, hint: str, *, label: str = "error:") -> None:
    with suppress(OSError):  # told when the program ends
        sys.stdout.flush()
    sys.stderr.write(f"{paint(label, 'red', sys.stderr)} {clean(message)}\n")
    if hint:
        sys.stderr.write(f"{paint('hint:', 'cyan', sys.stderr)} {clean(hint)}\n")


def _keep(text: str) -> Path | None:
    """Write a traceback to a file and return its path; None where that is not possible either."""
    from orchestrator.config import home_dir

    # Whatever goes wrong here must not hide the error that is being told.
    with suppress(Exception):
        folder = home_dir() / "debug"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / time.strftime(f"%Y%m%d-%H%M%S-{os.getpid()}.txt")
        path.write_text(f"{sys.version}\n{sys.argv}\n\n{text}", encoding="utf-8", errors="backslashreplace")
        return path
    return None
