"""A job's log as a user asks for it: the end, since when, matching lines, with times, and what is still to come."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec

from orchestrator.errors import UsageError
from orchestrator.runtime.logread import ArrivalTimes, LogReader

POLL = 0.2  # seconds between two looks for more
LONGEST_POLL = 0.5  # seconds, when nothing has come for a while
SELDOM = 1.0  # seconds between two questions whether the job has ended, then
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
    idle = until_asked = 0.0  # seconds
    while True:
        # Asked before reading: what was written until the end is then surely read.
        over = until_asked <= 0 and ended()
        if until_asked <= 0:
            until_asked = min(SELDOM, idle / 2)
        before = position
        log = reader()
        for block in log.read(position, log.final_size() if over else log.size()):
            position += len(block)
            yield block
        if over:
            return
        idle = 0.0 if position > before else idle
        pause = min(LONGEST_POLL, max(POLL, idle / 10))
        sleep(pause)
        idle += pause
        until_asked -= pause


def _lines(
    blocks: Iterator[bytes],
    offset: int,
    pattern: "re.Pattern[bytes] | None",
    times: ArrivalTimes,
    refresh: Callable[[], ArrivalTimes] | None,
    timestamps: bool,
) -> Iterator[bytes]:
    kept = times if timestamps else None
    rest = b""
    for block in blocks:
        unread = rest + block
        if refresh and times.next_after(offset + len(unread)) is None:
            kept = times = refresh()
        end = unread.rfind(b"\n") + 1
        if len(unread) - end > LINE_LIMIT:
            end = len(unread)
        if shown := b"".join(_shown(unread[:end], offset, pattern, kept)):
            yield shown
        offset += end
        rest = unread[end:]
    if shown := b"".join(_shown(rest, offset, pattern, kept)):
        yield shown


def _shown(
    lines: bytes, offset: int, pattern: "re.Pattern[bytes] | None", times: ArrivalTimes | None
) -> Iterator[bytes]:
    """Yield what is shown of whole lines; a log has millions, so those that arrived together are one step."""
    if lines and not lines.endswith(b"\n"):
        lines += b"\n"
    position = 0
    while position < len(lines):
        end, stamp = len(lines), b""
        if times:
            stamp, later = _stamp(times.at(offset + position)), times.next_after(offset + position)
            if later is not None and later - offset < end:
                # The line that the later bytes begin in, if not with it, began before them.
                end = lines.find(b"\n", later - offset - 1) + 1
        text = lines[position:end]
        position = end
        if pattern or b"\r" in text:
            text = b"".join(_fitting(text, pattern))
        if text:
            yield stamp + text[:-1].replace(b"\n", b"\n" + stamp) + b"\n" if stamp else text


def _fitting(lines: bytes, pattern: "re.Pattern[bytes] | None") -> Iterator[bytes]:
    for line in lines[:-1].split(b"\n"):
        # Of a progress bar that redrew itself, what was to be seen last.
        text = line.rstrip(b"\r").rpartition(b"\r")[2]
        if pattern is None or pattern.search(text):
            yield text + b"\n"


def _stamp(moment: float | None) -> bytes:
    if moment is None:
        return b"-" * 24 + b" "
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3].encode() + b"Z "


def _compile(grep: str | None) -> "re.Pattern[bytes] | None":
    if grep is None:
        return None
    try:
        return re.compile(grep.encode())
    except re.error as error:
        raise UsageError(
            f"--grep {grep!r} is not a regular expression: {error}", hint="quote special characters with \\"
        ) from error
