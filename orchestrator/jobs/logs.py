"""A job's log as a user asks for it: the end, since when, matching lines, with times, and what is still to come."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count

import msgspec

from orchestrator.errors import StoreError, UsageError
from orchestrator.jobs.log_lines import Lines
from orchestrator.runtime.logread import LogReader

POLL = 0.2  # seconds between two looks for more
LONGEST_POLL = 0.5  # seconds, when nothing has come for a while
SELDOM = 1.0  # seconds between two questions whether the job has ended, then


Blocks = Iterator[tuple[int, bytes]]  # with the log that each is of


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to show of a log.

    Attributes:
        follow: Go on until the job has ended.
        tail: Only this many lines from the end.
        since: Only what arrived in the last so many seconds.
        grep: Only lines that this regular expression finds something in.
        timestamps: Put the arrival time before each line (UTC).
    """

    follow: bool = False
    tail: int | None = None
    since: float | None = None
    grep: str | None = None
    timestamps: bool = False


def raised(error: StoreError) -> None:
    """Raise an error."""
    raise error


def read_log(
    query: LogQuery,
    readers: Sequence[Callable[[], LogReader]],
    ended: Callable[[], bool],
    *,
    away: Callable[[StoreError], None] = raised,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[bytes]:
    """Yield one log, or those of several workers, as the query asks.

    Of one, without `grep` and `timestamps`, these are the script's own bytes, unchanged. Of several each line
    begins with its worker; they come in the order of their arrival, as far as that is known.

    Args:
        query: What to show.
        readers: Each gives a worker's log as it can be read now: live or from the store.
        ended: Tells whether the job is over and all its log saved.
        away: Told that the store failed while it was followed; if it returns, the store is asked again.
        clock: The time, in seconds since the epoch.
        sleep: Waits for so many seconds.

    Raises:
        UsageError: `grep` is not a regular expression.
    """
    pattern = _compile(query.grep)
    logs = [reader() for reader in readers]
    starts = [_start(query, log, clock()) for log in logs]
    blocks = _follow(starts, readers, ended, sleep, away) if query.follow else _in_order(starts, logs)
    if pattern is None and not query.timestamps and len(logs) == 1:
        yield from (block for _, block in blocks)
        return
    lines = [
        Lines(
            start,
            head=f"[worker-{index}] ".encode() if len(logs) > 1 else b"",
            pattern=pattern,
            times=log.times() if query.timestamps else None,
            refresh=(lambda reader=reader: reader().times()) if query.follow else None,  # type: ignore[misc]
        )
        for index, (start, log, reader) in enumerate(zip(starts, logs, readers, strict=True))
    ]
    for index, block in blocks:
        if shown := lines[index].feed(block):
            yield shown
    for one in lines:
        if shown := one.end():
            yield shown


def _start(query: LogQuery, log: LogReader, now: float) -> int:
    size = log.size()
    start = 0 if query.tail is None else log.tail_offset(query.tail, size)
    if query.since is not None:
        since = log.times().first_since(now - query.since)
        start = max(start, size if since is None else since)
    return start


def _in_order(starts: Sequence[int], logs: Sequence[LogReader]) -> Blocks:
    """Yield what was written; of several logs what came first, first."""
    written = [log.read(start, log.size()) for start, log in zip(starts, logs, strict=True)]
    if len(written) == 1:
        yield from ((0, block) for block in written[0])
        return
    parts = sorted(chain.from_iterable(map(_parts, count(), starts, logs)))
    cursors = [_Cursor(blocks) for blocks in written]
    for _, index, length in parts:
        yield index, cursors[index].take(length)


def _parts(index: int, start: int, log: LogReader) -> Iterator[tuple[float, int, int]]:
    """Yield when parts of a log arrived, its index, and their lengths."""
    size, times = log.size(), log.times()
    while start < size:
        end = min(times.next_after(start) or size, size)
        yield times.at(start) or 0.0, index, end - start
        start = end


class _Cursor:
    """Cuts blocks anew."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._held, self._position = b"", 0

    def take(self, length: int) -> bytes:
        """Return the next bytes; fewer at the end."""
        while len(self._held) - self._position < length and (block := next(self._blocks, b"")):
            self._held, self._position = self._held[self._position :] + block, 0
        self._position += length
        return self._held[self._position - length : self._position]


def _follow(
    starts: Sequence[int],
    readers: Sequence[Callable[[], LogReader]],
    ended: Callable[[], bool],
    sleep: Callable[[float], None],
    away: Callable[[StoreError], None],
) -> Blocks:
    positions = list(starts)
    idle = until_asked = 0.0  # seconds
    while True:
        over = False
        if until_asked <= 0:
            until_asked = min(SELDOM, idle / 2)
            try:
                # Asked before reading: what was written until the end is then surely read.
                over = ended()
            except StoreError as error:  # what is live can be read all the same
                away(error)
        for index, reader in enumerate(readers):
            try:
                log = reader()
                for block in log.read(positions[index], log.final_size() if over else log.size()):
                    positions[index] += len(block)
                    idle = 0.0
                    yield index, block
            except StoreError as error:  # what cannot be read now can be later
                over = False
                away(error)
        if over:
            return
        pause = min(LONGEST_POLL, max(POLL, idle / 10))
        sleep(pause)
        idle += pause
        until_asked -= pause


def _compile(grep: str | None) -> "re.Pattern[bytes] | None":
    if grep is None:
        return None
    try:
        return re.compile(grep.encode())
    except re.error as error:
        raise UsageError(
            f"--grep {grep!r} is not a regular expression: {error}", hint="quote special characters with \\"
        ) from error
