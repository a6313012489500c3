"""Progress for people: bars with rate and time left on a terminal, a plain line now and then elsewhere. On stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from orchestrator.cli import terminal
from orchestrator.cli.render import size
from orchestrator.progress import Bar, Reporter, Unit

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID

INTERVAL = 10.0  # seconds between two plain lines of one long work


def reporter() -> Reporter:
    """Return the reporter that suits stderr."""
    return BarReporter() if terminal.animates(sys.stderr) else LineReporter()


class LineReporter:
    """For files and pipes: notes, and for long work a line every `INTERVAL` seconds."""

    def note(self, message: str) -> None:
        """Write the message as a line."""
        sys.stderr.write(f"{terminal.clean(message)}\n")
        sys.stderr.flush()

    @contextmanager
    def bar(self, label: str, *, total: int | None, unit: Unit) -> Iterator[Bar]:
        """Count, and tell now and then."""
        yield _Line(self, label, total, unit)


class _Line:
    def __init__(self, reporter: LineReporter, label: str, total: int | None, unit: Unit) -> None:
        self._reporter = reporter
        self._label = label
        self._total = total
        self._unit = unit
        self._done = 0
        self._told = time.monotonic()
        self._lock = Lock()

    def advance(self, amount: int) -> None:
        with self._lock:
            self._done += amount
            if (now := time.monotonic()) - self._told >= INTERVAL:
                self._told = now
                self._reporter.note(f"{self._label}: {_amount(self._done, self._total, self._unit)}")


class BarReporter:
    """For terminals: bars while something is going on, notes above them. The bars vanish when they are done."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._open = 0
        self._lock = Lock()

    def note(self, message: str) -> None:
        """Write the message as a line, above the bars if there are any."""
        with self._lock:
            text = terminal.clean(message)
            if self._progress is not None and self._open:
                self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                sys.stderr.write(f"{text}\n")
                sys.stderr.flush()

    @contextmanager
    def bar(self, label: str, *, total: int | None, unit: Unit) -> Iterator[Bar]:
        """Show a bar until the work ends, well or not."""
        with self._lock:
            if self._progress is None:
                self._progress = _bars()
            progress = self._progress
            task = progress.add_task(terminal.clean(label), total=total, unit=unit)
            self._open += 1
            progress.start()
        try:
            yield _Bar(progress, task)
        finally:
            with self._lock:
                self._open -= 1
                if not self._open:
                    progress.stop()
                progress.remove_task(task)


class _Bar:
    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress = progress
        self._task = task

    def advance(self, amount: int) -> None:
        self._progress.advance(self._task, amount)


def _bars() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
    from rich.text import Text

    class Amount(ProgressColumn):
        def render(self, task: "Task") -> Text:
            total = None if task.total is None else int(task.total)
            return Text(_amount(int(task.completed), total, task.fields["unit"]))

    class Rate(ProgressColumn):
        def render(self, task: "Task") -> Text:
            return Text(_rate(task), style="dim")

    console = Console(stderr=True, no_color=not terminal.colours(sys.stderr), force_terminal=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        Amount(),
        Rate(),
        console=console,
        transient=True,
    )


def _amount(done: int, total: int | None, unit: Unit) -> str:
    def show(amount: int) -> str:
        return size(amount) if unit == "bytes" else str(amount)

    return show(done) if total is None else f"{show(done)} of {show(total)}"


def _rate(task: Any) -> str:
    parts = []
    if task.speed and task.fields["unit"] != "steps":
        per_second = size(int(task.speed)) if task.fields["unit"] == "bytes" else f"{task.speed:.0f} files"
        parts.append(f"{per_second}/s")
    if task.time_remaining:
        minutes, seconds = divmod(int(task.time_remaining), 60)
        parts.append(f"{minutes}:{seconds:02} left")
    return ", ".join(parts)
