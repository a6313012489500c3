"""A job's log as a user asks for it: the end, since when, matching lines, with times, and what is still to come."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec

from orchestrator.errors import UsageError
from orchestrator.runtime.logread import ArrivalTimes, LogReader

POLL = 0.2  # seconds between two looks for more
LINE_LIMIT = 1 << 20  # bytes; longer lines are cut into pieces of this size


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


def read_log(
    query: LogQuery,
    reader: Callable[[], LogReader],
    ended: Callable[[], bool],
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[bytes]:
    """Yield the log as the query asks.

    Without `grep` and `timestamps` these are the script's own bytes, unchanged.

    Args:
        query: What to show.
        reader: Gives the log as it can be read now: live or from the store.
        ended: Tells whether the job is over and all its log saved.
        clock: The time, in seconds since the epoch.
        sleep: Waits for so many seconds.

    Raises:
        UsageError: `grep` is not a regular expression.
    """
    pattern = _compile(query.grep)
    log = reader()
    start = _start(query, log, clock())
    blocks = _follow(start, reader, ended, sleep) if query.follow else log.read(start, log.size())
    if pattern is None and not query.timestamps:
        yield from blocks
        return
    times = log.times() if query.timestamps else ArrivalTimes([], [])
    refresh = (lambda: reader().times()) if query.timestamps and query.follow else None
    yield from _lines(blocks, start, pattern, times, refresh, query.timestamps)


def _start(query: LogQuery, log: LogReader, now: float) -> int:
    size = log.size()
    start = 0 if query.tail is None else log.tail_offset(query.tail, size)
    if query.since is not None:
        since = log.times().first_since(now - query.since)
        start = max(start, size if since is None else since)
    return start


def _follow(
    start: int, reader: Callable[[], LogReader], ended: Callable[[], bool], sleep: Callable[[float], None]
) -> Iterator[bytes]:
    position = start
    while True:
        # Asked before reading: what was written until the end is then surely read.
        over = ended()
        log = reader()
        for block in log.read(position, log.size()):
            position += len(block)
            yield block
        if over:
            return
        sleep(POLL)


def _lines(
    blocks: Iterator[bytes],
    offset: int,
    pattern: "re.Pattern[bytes] | None",
    times: ArrivalTimes,
    refresh: Callable[[], ArrivalTimes] | None,
    timestamps: bool,
) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        if refresh:
            times = refresh()
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > LINE_LIMIT:
            lines.append(rest)
            rest = b""
        for line in lines:
            if shown := _line(line, pattern, times.at(offset) if timestamps else None, timestamps):
                yield shown
            offset += len(line) + 1
    if rest and (shown := _line(rest, pattern, times.at(offset) if timestamps else None, timestamps)):
        yield shown


def _line(line: bytes, pattern: "re.Pattern[bytes] | None", moment: float | None, timestamps: bool) -> bytes:
    # Of a progress bar that redrew itself, what was to be seen last.
    text = line.rstrip(b"\r").rpartition(b"\r")[2]
    if pattern and not pattern.search(text):
        return b""
    if not timestamps:
        return text + b"\n"
    stamp = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if moment else "-" * 24
    return stamp.encode() + b" " + text + b"\n"


def _compile(grep: str | None) -> "re.Pattern[bytes] | None":
    if grep is None:
        return None
    try:
        return re.compile(grep.encode())
    except re.error as error:
        raise UsageError(
            f"--grep {grep!r} is not a regular expression: {error}", hint="quote special characters with \\"
        ) from error
