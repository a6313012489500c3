"""Progress for people: bars with rate and time left on a terminal, a plain line now and then elsewhere. On stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any

from orchestrator.cli import terminal
from orchestrator.cli.render import size
from orchestrator.progress import Bar, Reporter, Unit

if TYPE_CHECKING:
    from rich.progress import Progress, Task

PATIENCE = 0.3  # seconds of work before a bar appears: what is over by then needs none
PACE = 1.0  # seconds until the rate says how long it will take
NARROW = 80  # columns of a terminal on which a bar's picture and rate have no place
AMOUNT, SPEED, LEFT = 20, 12, 12  # columns of `999.9 MB of 999.9 MB`, of `999.9 MB/s, ` and of `120:00 left`
PICTURE = 16  # columns
SHORTEST = 8  # columns of a name
GAPS = 6  # columns: the spinner, and what is between the parts
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
    """For terminals: bars while long work is going on, notes above them. The bars vanish when they are done."""

    def __init__(self) -> None:
        self._open: list[_Bar] = []
        self._progress: Progress | None = None
        self._lock = Lock()

    def note(self, message: str) -> None:
        """Write the message as a line, above the bars if there are any."""
        text = terminal.clean(message)
        with self._lock:
            if self._progress:
                self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                sys.stderr.write(f"{text}\n")
                sys.stderr.flush()

    @contextmanager
    def bar(self, label: str, *, total: int | None, unit: Unit) -> Iterator[Bar]:
        """Show a bar, if the work takes time, until it ends, well or not."""
        bar = _Bar(terminal.clean(label), total, unit)
        timer = Timer(PATIENCE, self._show, [bar])
        timer.daemon = True
        with self._lock:
            self._open.append(bar)
        timer.start()
        try:
            yield bar
        finally:
            timer.cancel()
            self._close(bar)

    def _show(self, bar: "_Bar") -> None:
        with self._lock:
            if bar not in self._open:
                return
            if self._progress is None:
                self._progress = _bars()
                self._progress.start()
            bar.show(self._progress)

    def _close(self, bar: "_Bar") -> None:
        with self._lock:
            self._open.remove(bar)
            bar.hide()
            if self._progress and not any(other.shown for other in self._open):
                self._progress.stop()
                self._progress = None


class _Bar:
    """Work in progress; `shown` once it has a bar."""

    def __init__(self, label: str, total: int | None, unit: Unit) -> None:
        self.shown: Progress | None = None
        self._label = label
        self._total = total
        self._unit = unit
        self._done = 0
        self._task: Any = None
        self._started = time.monotonic()
        self._lock = Lock()

    def advance(self, amount: int) -> None:
        with self._lock:
            self._done += amount
            if self.shown:
                self.shown.update(self._task, completed=self._done)

    def show(self, progress: "Progress") -> None:
        with self._lock:
            self._task = progress.add_task(
                self._label, total=self._total, completed=self._done, unit=self._unit, started=self._started
            )
            self.shown = progress

    def hide(self) -> None:
        with self._lock:
            if self.shown:
                self.shown.remove_task(self._task)
                self.shown = None


def _bars() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
    from rich.table import Column
    from rich.text import Text

    console = Console(stderr=True, color_system="auto" if terminal.colours(sys.stderr) else None, force_terminal=True)
    narrow = console.width < NARROW
    label = max(console.width - AMOUNT - LEFT - GAPS - (0 if narrow else SPEED + PICTURE), SHORTEST)

    class Amount(ProgressColumn):
        def render(self, task: "Task") -> Text:
            total = None if task.total is None else int(task.total)
            return Text(_amount(int(task.completed), total, task.fields["unit"]))

    class Rate(ProgressColumn):
        def render(self, task: "Task") -> Text:
            seconds = time.monotonic() - task.fields["started"]
            speed, left = _rate(task.completed, task.total, seconds, task.fields["unit"])
            return Text(left if narrow else ", ".join(filter(None, (speed, left))), style="dim")

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=label)),
        *([] if narrow else [BarColumn(PICTURE)]),
        Amount(Column(no_wrap=True)),
        Rate(Column(no_wrap=True)),
        console=console,
        transient=True,
    )


def _amount(done: int, total: int | None, unit: Unit) -> str:
    def show(amount: int) -> str:
        return size(amount) if unit == "bytes" else f"{amount:,}"

    return show(done) if total is None else f"{show(done)} of {show(total)}"


def _rate(done: float, total: float | None, seconds: float, unit: Unit) -> tuple[str, str]:
    """Return the rate since the start, and the time left at that rate, as far as they are known."""
    if not done or seconds <= 0:
        return "", ""
    rate = done / seconds
    speed = {"bytes": f"{size(int(rate))}/s", "files": f"{rate:,.0f} files/s", "steps": ""}[unit]
    if total is None or done > total or seconds < PACE:
        return speed, ""
    minutes, rest = divmod(round((total - done) / rate), 60)
    return speed, f"{minutes}:{rest:02} left"
