"""Gathers the metrics of one worker while it runs, and can go on after a crash.

The table in the store knows how far everything was read: any process goes on from there, and counts nothing twice.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from orchestrator.errors import UsageError
from orchestrator.metrics.events import read_scalars
from orchestrator.metrics.jsonl import FILE, read_row
from orchestrator.metrics.kinds import Source as Origin
from orchestrator.metrics.lines import LineReader
from orchestrator.metrics.patterns import Compiled, Measures, engine_lines, own_pattern
from orchestrator.metrics.recorder import Recorder
from orchestrator.metrics.table import Table
from orchestrator.runtime.events.records import DamagedError, whole_records
from orchestrator.runtime.events.sources import FolderSource, Source, is_event_file
from orchestrator.runtime.task import CALLS, Workspace

BLOCK = 4 << 20  # bytes read at once
LONGEST_LINE = 1 << 16  # bytes; the rest of a longer one counts as another line
SAMPLE = 5.0  # seconds between two looks at what the script uses
LOG = "log"

Sampler = Callable[[], Mapping[str, float]]


class Gatherer:
    """What is known of one worker's metrics.

    Args:
        measures: What is measured.
        workspace: Of the worker.
        sample: Tells what the script uses now.
        reads: Whether its log and files are read: of several workers the first one's are.
        clock: Seconds since the epoch.
        table: What was gathered before.
    """

    def __init__(
        self,
        measures: Measures,
        workspace: Workspace,
        *,
        sample: Sampler = dict,
        reads: bool = True,
        clock: Callable[[], float] = time.time,
        table: Table | None = None,
    ) -> None:
        self.table = table or Table()
        self._workspace = workspace
        self._sample = sample
        self._reads = reads
        self._clock = clock
        self._recorder = Recorder(self.table, measures.goals, measures.total, measures.unit)
        context = self.table.context
        self._lines = LineReader(
            self._engine_lines(measures), self._own_patterns(measures), epoch=context.epoch, step=context.step
        )
        self._read = defaultdict(int, self.table.read)  # bytes, by file
        self.table.read = self._read
        self._patterns = measures.patterns
        self._sampled = self._files_due = float("-inf")
        self._damaged: set[str] = set()

    def gather(self, files: Source, *, ended: bool = False) -> bool:
        """Read what has come; tell whether there was anything.

        Args:
            files: What is below train_url.
            ended: The script has: what its last line lacks does not come any more.

        Raises:
            MlctlError, OSError: Something cannot be read; what was read before is in the table.
        """
        before = self._marks()
        if self._reads:
            self._read_log(ended=ended)
            self._read_rows("call", FolderSource(self._workspace.work), CALLS, ended=ended)
            if ended or time.monotonic() >= self._files_due:
                self._read_files(files, ended=ended)
                self._files_due = time.monotonic() + files.pause
        now = time.monotonic()
        if not ended and now - self._sampled >= SAMPLE:
            self._sampled = now
            for name, value in self._sample().items():
                self._recorder.record("system", name, None, self._clock(), value)
        if ended:
            self._tell_unmatched()
        return self._marks() != before

    # The spec was checked, but an older version of mlctl may run beside the script: the job itself goes on.
    def _engine_lines(self, measures: Measures) -> list[Compiled]:
        try:
            return engine_lines(measures.styles)
        except UsageError as error:
            self._recorder.note(error.message)
            return []

    def _own_patterns(self, measures: Measures) -> list[Compiled]:
        found = []
        for name, pattern in measures.patterns.items():
            try:
                found.append(own_pattern(name, pattern))
            except UsageError as error:
                self._recorder.note(f"the pattern of `{name}` {error.message}")
        return found

    def _marks(self) -> tuple[object, ...]:
        return sum(each.count for each in self.table.series), self.table.progress, len(self.table.notes)

    def _read_log(self, *, ended: bool) -> None:
        folder, name = FolderSource(self._workspace.log.parent), self._workspace.log.name
        while data := _whole_lines(folder.read(name, self._read[LOG], BLOCK), ended=ended):
            self._recorder.read(self._lines.read(data), self._clock())
            self.table.context.epoch, self.table.context.step = self._lines.epoch, self._lines.step
            self._read[LOG] += len(data)

    def _read_files(self, source: Source, *, ended: bool) -> None:
        for path, size in sorted(source.files().items()):
            if path == FILE:
                self._read_rows("file", source, FILE, ended=ended)
            elif is_event_file(path) and path not in self._damaged and size != self._read[path]:
                if size < self._read[path]:  # written anew, as by a script that is started again
                    self._read[path] = 0
                self._read_events(source, path, size)

    def _read_rows(self, origin: Origin, source: Source, path: str, *, ended: bool) -> None:
        mark = f"{origin}:{path}"
        while data := _whole_lines(source.read(path, self._read[mark], BLOCK), ended=ended):
            for number, line in enumerate(data.splitlines(), start=1):
                if not line.strip():
                    continue
                try:
                    row = read_row(line)
                except (ValueError, RecursionError) as error:
                    self._recorder.note(f"{path}: line {number} behind byte {self._read[mark]} is passed over: {error}")
                    continue
                now = self._clock() if row.time is None else row.time
                for name, value in row.values.items():
                    self._recorder.record(origin, name, row.step, now, value)
                if row.step is not None and self._recorder.unit == ("epoch" if row.epoch else "step"):
                    self._recorder.advance(origin, row.step, now)
            self._read[mark] += len(data)

    def _read_events(self, source: Source, path: str, size: int) -> None:
        folder = path.rpartition("/")[0]
        wanted = BLOCK
        while self._read[path] < size:
            have = self._read[path]
            data = source.read(path, have, min(wanted, size - have))
            try:
                whole, next_record = whole_records(data)
            except DamagedError:
                self._damaged.add(path)
                self._recorder.note(f"{path} is damaged behind byte {have}: the rest is passed over")
                return
            for scalar in read_scalars(data[:whole]):
                name = f"{folder}/{scalar.tag}" if folder else scalar.tag
                self._recorder.record("events", name, scalar.step, scalar.time, scalar.value)
                if self._recorder.unit == "step":
                    self._recorder.advance("events", scalar.step, scalar.time)
            self._read[path] += whole
            if not whole:
                if not wanted < next_record <= size - have:
                    return  # the rest of the record is still to come
                wanted = next_record

    def _tell_unmatched(self) -> None:
        seen = {each.name for each in self.table.series if each.source == "log"}
        for name, pattern in self._patterns.items():
            if self._reads and name not in seen:
                self._recorder.note(f"no line of the log has a number for `{name}`: its pattern is {pattern}")


def _whole_lines(data: bytes, *, ended: bool) -> bytes:
    """Return the whole lines at the beginning; a progress bar draws itself again behind a carriage return."""
    end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    return data if ended or (not end and len(data) >= LONGEST_LINE) else data[:end]
