"""A log with the kubelet's times before its lines, cut anywhere and put together again: pure."""

import hashlib
from datetime import UTC, datetime

SECOND = len("2026-11-21T10:00:00")  # characters of a time that a request can name
LONGEST_STAMP = 40  # bytes; `2026-11-21T10:00:00.123456789+02:00` has 35


class LostPlaceError(Exception):
    """It cannot be shown where the log goes on."""


class Stamped:
    """Takes the times out of a log, and knows how a new connection goes on at the very byte.

    Of what has come, only what the last second began with, how long it is since then and its digest are kept.

    Attributes:
        started: Time of the first line, in seconds since the epoch; None before it came.
    """

    def __init__(self) -> None:
        self.started: float | None = None
        self._stamp = b""  # of the first line of the last second
        self._length = 0  # bytes since that line began, times included
        self._digest = hashlib.blake2b()
        self._head = b""  # of a time that is not yet whole
        self._within = False  # a line that has begun
        self._missing = 0  # bytes that the new connection must repeat
        self._repeated = hashlib.blake2b()
        self._begins = b""  # what it began with, as far as it has been looked at

    def resume(self) -> str:
        """Expect a new connection; return the time that it is to be asked for, or nothing for all."""
        if not self._stamp:
            self._length, self._head, self._digest = 0, b"", hashlib.blake2b()
            return ""
        self._missing, self._repeated, self._begins = self._length, hashlib.blake2b(), b""
        return _moment(self._stamp).strftime("%Y-%m-%dT%H:%M:%SZ")

    def feed(self, block: bytes) -> bytes:
        """Return the script's own bytes out of the next ones of the connection; none while it repeats.

        Raises:
            LostPlaceError: It does not repeat what came before, or sends something that is no line of a log.
        """
        if not self._missing:
            return self._text(block)
        old, new = block[: self._missing], block[self._missing :]
        if len(self._begins) < len(self._stamp):
            self._begins += old[: len(self._stamp) - len(self._begins)]
            if not self._stamp.startswith(self._begins):  # at once: what is lost may be long in coming
                raise LostPlaceError
        self._repeated.update(old)
        self._missing -= len(old)
        if not self._missing and self._repeated.digest() != self._digest.digest():
            raise LostPlaceError
        return self._text(new) if new else b""

    def _text(self, block: bytes) -> bytes:
        data = self._head + block
        lines = data.split(b"\n")
        texts = [lines.pop(0)] if self._within else []
        if self._within and not lines:  # it goes on
            self._note(block, data, b"")
            return data
        last = lines.pop()
        whole = b" " in last
        started = [*lines, last] if whole else lines
        if not all(line[4:5] == b"-" and line[10:11] == b"T" for line in started):
            raise LostPlaceError  # the kubelet's own words, as when it cannot read the file
        if not whole and len(last) > LONGEST_STAMP:
            raise LostPlaceError
        texts += [line.partition(b" ")[2] for line in lines]
        self._note(block, data, started[-1].partition(b" ")[0] if started else b"")
        self._head, self._within = (b"", True) if whole else (last, False)
        return b"\n".join([*texts, last.partition(b" ")[2] if whole else b""])

    def _note(self, block: bytes, data: bytes, stamp: bytes) -> None:
        """Keep up what a new connection must begin with; `stamp` is of the last line that begins in `data`."""
        second = stamp[:SECOND]
        if second == self._stamp[:SECOND] or not stamp:
            self._digest.update(block)
            self._length += len(block)
            return
        at = 0 if not self._within and data.startswith(second) else data.find(b"\n" + second) + 1
        self._stamp = data[at : at + LONGEST_STAMP].partition(b" ")[0]
        if self.started is None:
            self.started = _moment(self._stamp).timestamp()
        self._digest = hashlib.blake2b(data[at:])
        self._length = len(data) - at


def _moment(stamp: bytes) -> datetime:
    try:
        return datetime.fromisoformat(stamp.decode()).astimezone(UTC)
    except ValueError as error:
        raise LostPlaceError from error
