"""A log's lines as they are shown: those that match, with what is put before each."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from orchestrator.runtime.logread import ArrivalTimes

LINE_LIMIT = 1 << 20  # bytes; longer lines are cut into pieces of this size


class Lines:
    """Makes lines of one log's blocks, however they are cut.

    Args:
        offset: Of the first byte that comes.
        head: What to put before each line.
        pattern: Only lines in which it finds something.
        times: When which bytes arrived, to be put before each line, too.
        refresh: Asks anew for such times.
    """

    def __init__(
        self,
        offset: int,
        *,
        head: bytes = b"",
        pattern: "re.Pattern[bytes] | None" = None,
        times: ArrivalTimes | None = None,
        refresh: Callable[[], ArrivalTimes] | None = None,
    ) -> None:
        self._offset = offset
        self._head = head
        self._pattern = pattern
        self._times = times
        self._refresh = refresh
        self._rest = b""

    def feed(self, block: bytes) -> bytes:
        """Take a block, and return what is to be shown by now."""
        unread = self._rest + block
        if self._times and self._refresh and self._times.next_after(self._offset + len(unread)) is None:
            self._times = self._refresh()
        end = unread.rfind(b"\n") + 1
        if len(unread) - end > LINE_LIMIT:
            end = len(unread)
        shown = b"".join(self._shown(unread[:end]))
        self._offset += end
        self._rest = unread[end:]
        return shown

    def end(self) -> bytes:
        """Return what is to be shown of a last line that has no end."""
        rest, self._rest = self._rest, b""
        return b"".join(self._shown(rest))

    def _shown(self, lines: bytes) -> Iterator[bytes]:
        """Yield what is shown of whole lines; a log has millions, so those that arrived together are one step."""
        if lines and not lines.endswith(b"\n"):
            lines += b"\n"
        position = 0
        while position < len(lines):
            end, head = len(lines), self._head
            if self._times:
                start = self._offset + position
                head, later = head + _stamp(self._times.at(start)), self._times.next_after(start)
                if later is not None and later - self._offset < end:
                    # The line that the later bytes begin in, if not with it, began before them.
                    end = lines.find(b"\n", later - self._offset - 1) + 1
            text = lines[position:end]
            position = end
            if self._pattern or b"\r" in text:
                text = b"".join(_fitting(text, self._pattern))
            if text:
                yield head + text[:-1].replace(b"\n", b"\n" + head) + b"\n" if head else text


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
