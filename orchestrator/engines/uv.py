"""Runs `uv` so that it never outlives its caller unnoticed, and reads from its output what went wrong."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from orchestrator.errors import PreflightError
from orchestrator.pip_settings import pip_settings

TAIL_LINES = 24  # of uv's output, shown when nothing better is known

Fault = Literal["disk full", "read-only", "unsatisfiable", "network", "other"]

# The first that occurs in uv's output is the fault.
_SIGNS: tuple[tuple[Fault, tuple[str, ...]], ...] = (
    ("disk full", ("No space left on device", "Disk quota exceeded")),
    ("read-only", ("Permission denied (os error", "Read-only file system")),
    ("other", ("Hash mismatch",)),  # uv reports it as a failed download
    ("network", ("error sending request", "Failed to fetch", "Failed to download", "operation timed out")),
    ("unsatisfiable", ("No solution found when resolving",)),
)


class EngineBuildError(PreflightError):
    """An engine's environment cannot be built on this machine."""


class Outcome(msgspec.Struct, frozen=True):
    """How a program ended.

    Attributes:
        code: Exit code.
        lines: All that it printed.
    """

    code: int
    lines: list[str]

    @property
    def fault(self) -> Fault:
        """Return the kind of a failure of uv."""
        text = "\n".join(self.lines)
        return next((fault for fault, signs in _SIGNS if any(sign in text for sign in signs)), "other")

    @property
    def reason(self) -> str:
        """Return uv's own words for a failure: the error and its causes, else the last lines."""
        start = next((number for number, line in enumerate(self.lines) if line.startswith("error:")), None)
        lines = self.lines[-TAIL_LINES:] if start is None else self.lines[start : start + TAIL_LINES]
        return "\n".join(lines).removeprefix("error:").strip()


def run_uv(
    arguments: Sequence[str],
    *,
    directory: Path,
    lock: int,
    on_line: Callable[[str], None] = lambda line: None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Run `uv` to its end, with the user's pip settings where uv's own are not set.

    Args:
        arguments: What follows `uv`.
        directory: Where uv looks for a project's settings; those of the user's working directory
            have nothing to do with an engine. User and system settings of uv do count.
        lock: See `run`.
        on_line: Called with each line of output as it comes.
        cwd: Where it starts; None is the current folder.
        environment: Variables to add to our own.

    Raises:
        EngineBuildError: uv itself is missing.
        UsageError: The user's pip settings are malformed.
    """
    settings = pip_settings()
    variables = settings.uv_environment() | {"NO_COLOR": "1", "UV_NO_PROGRESS": "1"} | dict(environment or {})
    options = ["--no-index"] if settings.no_index and arguments[0] == "pip" else []
    command = [_uv_binary(), *arguments, *options, "--project", str(directory)]
    return run(command, environment=variables, lock=lock, on_line=on_line, cwd=cwd)


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    lock: int,
    on_line: Callable[[str], None] = lambda line: None,
    cwd: Path | None = None,
) -> Outcome:
    """Run a program to its end; kill it, and all that it started, if the caller is interrupted.

    Args:
        command: Program and arguments.
        environment: Variables to add to our own.
        lock: An open file descriptor that it inherits: a file lock on it lasts until the last process
            of the build is gone, even when the caller was killed.
        on_line: Called with each line of output as it comes.
        cwd: Where it starts; None is the current folder.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | environment,
        cwd=cwd,
        pass_fds=(lock,),
        process_group=0,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            on_line(lines[-1])
        return Outcome(process.wait(), lines)
    finally:
        # Whether it ended or we are interrupted: its build processes must not stay behind either.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _uv_binary() -> str:
    import uv  # not needed while environments are ready

    try:
        return uv.find_uv_bin()
    except FileNotFoundError as error:
        raise EngineBuildError("the program uv is missing", hint="pip install --force-reinstall uv") from error
