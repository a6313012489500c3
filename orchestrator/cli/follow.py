"""Watch a job from a terminal that it does not depend on."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import typer

from orchestrator.cli import terminal
from orchestrator.cli.failure import INTERRUPTED
from orchestrator.cli.job_view import after, ending, place
from orchestrator.cli.metrics_view import progress
from orchestrator.cli.render import count, next_steps, note, size, writing

if TYPE_CHECKING:
    from orchestrator.client import Client
    from orchestrator.jobs.view import JobView

PATIENCE = 1.0  # seconds of waiting that are not worth a word
POLL = 0.1  # seconds between two looks at a job that has not started; grows with the wait
LONGEST_POLL = 1.0  # seconds
TELL_EVERY = 15.0  # seconds between two words about how far the script is


def show_log(blocks: Iterable[bytes], *, tell: Callable[[], str] = str) -> int:
    """Write a log to stdout: byte for byte, but on a terminal without what could harm it; return its bytes.

    Args:
        blocks: Of the log.
        tell: Returns how far the script is, to be said between two lines now and then.
    """
    due = time.monotonic() + TELL_EVERY
    cleaner = terminal.Cleaner(colour=terminal.colours(sys.stdout)) if sys.stdout.isatty() else None
    size = 0
    try:
        for block in blocks:
            _write(cleaner.feed(block) if cleaner else block)
            size += len(block)
            if time.monotonic() >= due and block.endswith(b"\n"):
                if told := tell():
                    note(terminal.paint(f"── {told}", "dim", sys.stderr))
                due = time.monotonic() + TELL_EVERY
    finally:
        if cleaner:
            _write(cleaner.end())
    return size


def _write(data: bytes) -> None:
    with writing():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def follow(client: "Client", name: str, version: str) -> "JobView":
    """Show a job version's log until it has ended, and what it waits for before that; return how it ended."""
    await_start(client, name, version)
    show_log(client.jobs.logs(name, version, follow=True), tell=teller(client, name, version))
    return client.jobs.wait(name, version)


def teller(client: "Client", name: str, version: str) -> Callable[[], str]:
    """Return what tells how far a job version is; of one that nobody looks at there is nothing to tell."""

    def tell() -> str:
        if not sys.stderr.isatty():
            return ""
        status = client.jobs.get(name, version).status
        return progress(status.progress, finished=status.state.finished)

    return tell


def tell_end(view: "JobView") -> None:
    """Say how a job ended and where its output is; raise if it did not end well."""
    view.raise_if_failed()
    note(ending(view))
    task, status = view.record.task, view.status
    if task and status.output_files:
        note(
            f"output: {count(status.output_files, 'file')}, {size(status.output_bytes)} in "
            f"{place(task.output_store, task.output_prefix)}"
        )
    next_steps(*after(view))


@contextmanager
def goes_on(what: str, *commands: str) -> Iterator[None]:
    """On Ctrl-C, say that what is watched does not end with the watching, and name the commands that come next."""
    try:
        yield
    except KeyboardInterrupt:
        note(f"\n{what} goes on")
        next_steps(*commands)
        raise typer.Exit(INTERRUPTED) from None


def job_goes_on(view: "JobView") -> AbstractContextManager[None]:
    """On Ctrl-C, say that the job does not end with the watching."""
    of = f"{view.name} -v {view.version}"
    return goes_on(view.ref, f"mlctl logs -f {of}", f"mlctl job cancel {of}")


def await_start(client: "Client", name: str, version: str) -> None:
    """Wait until a job version's script runs, and say what it waits for if that takes time."""
    begun, told, pause = time.monotonic(), "", POLL
    while True:
        status = client.jobs.get(name, version).status
        if status.started or status.state.finished:
            return
        now = f"{status.state}: {status.message}".removesuffix(": ")
        if now != told and time.monotonic() - begun > PATIENCE:
            note(now)
            told = now
        time.sleep(pause)
        pause = min(pause * 1.2, LONGEST_POLL)
