"""The log files of containers, in the form of the container runtime interface, and how the kubelet serves them.

A line of a file is `2026-01-02T03:04:05.123456789Z stdout F text`; `P` instead of `F` marks a piece of a line that was
too long or that no newline ended. A file that has become too big is set aside; only the newest is served to who asks,
and who follows gets those that come after it, one by one.
"""

import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

LONGEST = 16 * 1024  # bytes of a line, before it is split


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a log to read.

    Attributes:
        follow: Go on until the container has ended.
        lines: Only the last ones.
        since: Only what is not older, in seconds since the epoch.
        timestamps: Put its time before each line.
        size: Bytes at most.
    """

    follow: bool = False
    lines: int | None = None
    since: float | None = None
    timestamps: bool = False
    size: int | None = None


class PodLog:
    """The log of one run of a container."""

    def __init__(self, path: Path, rotate_at: int, keep: int = 50) -> None:
        """Start it.

        Args:
            path: Of the newest file, such as `.../main/0.log`.
            rotate_at: Bytes after which a file is set aside.
            keep: Files in all; the oldest are deleted.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.ended = False
        self._rotate_at = rotate_at
        self._keep = keep
        self._changed = threading.Condition()
        self._file = path.open("wb")
        self._rest = {"stdout": b"", "stderr": b""}
        self._aside: list[Path] = []  # in order

    def write(self, stream: str, data: bytes) -> None:
        """Take what a container has written; an empty piece is the end of the stream."""
        text = self._rest[stream] + data
        lines: list[tuple[str, bytes]] = []
        start = 0
        while (end := text.find(b"\n", start)) >= 0:
            lines += _split(text[start:end], whole=True)
            start = end + 1
        rest = text[start:]
        while len(rest) > LONGEST:
            lines.append(("P", rest[:LONGEST]))
            rest = rest[LONGEST:]
        if not data and rest:
            lines.append(("P", rest))
            rest = b""
        self._rest[stream] = rest
        with self._changed:
            for tag, line in lines:
                self._file.write(b"%b %b %b %b\n" % (_now(), stream.encode(), tag.encode(), line))
                if self._file.tell() > self._rotate_at:
                    self._rotate()
            self._file.flush()
            self._changed.notify_all()

    def end(self) -> None:
        """Say that nothing more comes."""
        with self._changed:
            self.ended = True
            self._file.close()
            self._changed.notify_all()

    def wake(self) -> None:
        """Let readers look whether anybody still wants what they read."""
        with self._changed:
            self._changed.notify_all()

    def read(self, wanted: Tail, gone: threading.Event) -> Iterator[bytes]:
        """Serve the log, piece by piece.

        Args:
            wanted: What of it.
            gone: Set when nobody wants it any more.
        """
        left = wanted.size
        fresh = True  # at the start of a line
        for line in self._lines(wanted, gone):
            stamp, _, tag, text = line.split(b" ", 3)
            if wanted.since is not None and datetime.fromisoformat(stamp.decode()).timestamp() < wanted.since:
                continue
            piece = (stamp + b" " if wanted.timestamps and fresh else b"") + text[:-1] + (b"\n" if tag == b"F" else b"")
            fresh = tag == b"F"
            if left is not None:
                piece, left = piece[:left], left - len(piece)
            yield piece
            if left is not None and left <= 0:
                return

    def last(self, size: int, lines: int) -> str:
        """Give the end of the log, for termination messages."""
        text = b"".join(self.read(Tail(lines=lines), threading.Event()))
        return text[-size:].decode(errors="replace")

    def _lines(self, wanted: Tail, gone: threading.Event) -> Iterator[bytes]:
        with self._changed:
            file = self.path.open("rb")
            number = len(self._aside)
        if wanted.lines is not None:
            file.seek(_last_lines(self.path, wanted.lines))
        over = False
        while not over and not gone.is_set():
            lines = file.readlines()
            if lines and not lines[-1].endswith(b"\n"):  # it is being written
                file.seek(-len(lines.pop()), os.SEEK_CUR)
            yield from lines
            if lines:
                continue
            with self._changed:
                if len(self._aside) > number:
                    lines = file.readlines()
                    file.close()
                    number += 1
                    file = [*self._aside, self.path][number].open("rb")
                elif not wanted.follow or self.ended:
                    over, lines = True, file.readlines()
                else:
                    here = file.tell()
                    if here == self.path.stat().st_size:
                        self._changed.wait(1.0)
                    continue
            yield from lines
        file.close()

    def _rotate(self) -> None:
        self._file.close()
        name = f"{self.path}.{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{len(self._aside) + 1:04}"
        self._aside.append(self.path.rename(name))
        for old in sorted(self.path.parent.glob(f"{self.path.name}.*"))[: -(self._keep - 1)]:
            old.unlink()
        self._file = self.path.open("wb")


def _split(line: bytes, *, whole: bool) -> list[tuple[str, bytes]]:
    pieces = [line[at : at + LONGEST] for at in range(0, len(line), LONGEST)] or [b""]
    return [("F" if whole and at == len(pieces) - 1 else "P", piece) for at, piece in enumerate(pieces)]


def _now() -> bytes:
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z".encode()


def _last_lines(path: Path, count: int) -> int:
    """Find where the last lines of a file begin."""
    data = path.read_bytes()
    at = len(data)
    for _ in range(count):
        if at <= 0:
            break
        at = data.rfind(b"\n", 0, at - 1) + 1
    return at
