"""A pod's log as the kubelet has it, while it is written: the same bytes as in the store, only sooner.

The kubelet numbers nothing, cuts connections and throws old parts of a log away. So lines are asked for
with their times, after a cut from the second of the last one on, and what comes must begin with what was
there: then it goes on at the very byte. Where that cannot be shown, the log is said to be gone, and its
reader goes on with the store.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from datetime import datetime

from orchestrator.backends.kubernetes.api import Api
from orchestrator.errors import MlctlError, NotFoundError, PermissionDeniedError

HELD = 8 << 20  # bytes that wait for their reader; more is not asked for meanwhile
SILENCE = 300.0  # seconds without a line after which the connection is made anew
FIRST_PAUSE = 0.5  # seconds before the connection is made anew; doubled each time that nothing new comes
LONGEST_PAUSE = 10.0  # seconds
STAMP = len("2026-11-21T10:00:00")  # characters of a time that a request can name


class KubeletLog:
    """The log of one container from its first byte on, as far as it has come; a thread asks for it.

    Args:
        api: The cluster.
        pod: Name of the pod.
        container: Name of the container.

    Attributes:
        started: Time of the first line, in seconds since the epoch; None before it came.
    """

    def __init__(self, api: Api, pod: str, container: str) -> None:
        self.started: float | None = None
        self._api = api
        self._path = api.path("v1/pods", pod, part="log")
        self._container = container
        self._changed = threading.Condition()
        self._blocks: deque[bytes] = deque()
        self._start = self._end = 0  # offsets of what is held
        self._last: list[bytes] = []  # the lines of the last second, to go on from
        self._gone = False
        self._over = False
        self._thread = threading.Thread(target=self._run, name=f"log of {pod}", daemon=True)
        self._thread.start()

    def size(self) -> int | None:
        """Return how many bytes have come; None if no more will, and the store must be asked."""
        with self._changed:
            return None if self._gone else self._end

    def read(self, start: int, length: int) -> bytes | None:
        """Return up to `length` bytes from `start` on, none if they have not come yet; None if they are not held.

        What is before `start` is forgotten: a log is read forwards.
        """
        with self._changed:
            if start < self._start or self._gone:
                return None
            while self._blocks and self._start + len(self._blocks[0]) <= start:
                self._start += len(self._blocks.popleft())
            self._changed.notify_all()
            found, position = b"", self._start
            for block in self._blocks:
                found += block[max(0, start - position) :]
                position += len(block)
                if len(found) >= length:
                    break
            return found[:length]

    def close(self) -> None:
        """Stop asking."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        try:
            while not self._over:
                before = self._end
                whole = self._connect()
                if whole and self._end == before:
                    break  # it ended, and this was all
                pause = FIRST_PAUSE if self._end > before else min(2 * pause, LONGEST_PAUSE)
                with self._changed:
                    self._changed.wait_for(lambda: self._over, pause)
        except (_LostPlaceError, NotFoundError, PermissionDeniedError):
            pass
        with self._changed:
            self._gone = True

    def _connect(self) -> bool:
        """Take lines until the connection ends; tell whether it ended in order.

        Raises:
            _LostPlaceError: What comes does not go on where the last connection ended.
        """
        query = {"container": self._container, "follow": "true", "timestamps": "true"}
        expected = deque(self._last)
        if expected:
            query["sinceTime"] = expected[0][:STAMP].decode() + "Z"
        try:
            with contextlib.closing(self._api.stream(self._path, read_timeout=SILENCE, **query)) as stream:
                for line in _lines(stream):
                    if expected:
                        if line != expected.popleft():
                            raise _LostPlaceError
                    else:
                        self._take(line)
                    if self._over:
                        return True
        except (NotFoundError, PermissionDeniedError):
            raise
        except MlctlError:
            return False
        if expected:  # not even what was there before is left
            raise _LostPlaceError
        return True

    def _take(self, line: bytes) -> None:
        stamp, _, text = line.partition(b" ")
        if self.started is None:
            self.started = datetime.fromisoformat(stamp.decode()).timestamp()
        if self._last and self._last[-1][:STAMP] != stamp[:STAMP]:
            self._last.clear()
        self._last.append(line)
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._end - self._start < HELD)
            self._blocks.append(text)
            self._end += len(text)


class _LostPlaceError(Exception):
    """It cannot be shown where the log goes on."""


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield whole lines; what the last one lacks comes with the next connection."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line + b"\n"
