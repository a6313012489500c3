"""A pod's log as the kubelet has it, while it is written: the same bytes as in the store, only sooner.

The kubelet numbers nothing, cuts connections and throws old parts of a log away. So lines are asked for
with their times, after a cut from the second of the last one on, and what comes must begin with what was
there: then it goes on at the very byte. Where that cannot be shown, the log is said to be gone, and its
reader goes on with the store.
"""

import contextlib
import threading
import time
from collections import deque

from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.stamped import LostPlaceError, Stamped
from orchestrator.errors import MlctlError, NotFoundError, PermissionDeniedError

HELD = 8 << 20  # bytes that wait for their reader; more is not asked for meanwhile
STALL = 5.0  # seconds that may last: the kubelet sets a log aside every 10 s at most, and forgets it at the second time
SILENCE = 300.0  # seconds without a line after which the connection is made anew
FIRST_PAUSE = 0.2  # seconds before the connection is made anew; doubled each time that it fails at once
LONGEST_PAUSE = 10.0  # seconds
ENDS = (
    3  # connections in a row that end in order with nothing new, before that is believed: a lost kubelet ends them too
)


class KubeletLog:
    """The log of one container from its first byte on, as far as it has come; a thread asks for it.

    Args:
        api: The cluster.
        pod: Name of the pod.
        container: Name of the container.
    """

    def __init__(self, api: Api, pod: str, container: str) -> None:
        self._api = api
        self._path = api.path("v1/pods", pod, part="log")
        self._container = container
        self._changed = threading.Condition()
        self._blocks: deque[bytes] = deque()
        self._start = self._end = 0  # offsets of what is held
        self._seen = self._start  # up to here it was read
        self._stamped = Stamped()
        self._gone = False
        self._over = False
        self._thread = threading.Thread(target=self._run, name=f"log of {pod}", daemon=True)
        self._thread.start()

    @property
    def started(self) -> float | None:
        """Time of the first line, in seconds since the epoch; None before it came."""
        return self._stamped.started

    def size(self) -> int | None:
        """Return how many bytes have come; None if no more will, and the store must be asked."""
        with self._changed:
            return None if self._gone else self._end

    def read(self, start: int, length: int) -> bytes | None:
        """Return up to `length` bytes from `start` on, none if they have not come yet; None if they are not held.

        What is before `start` is let go.
        """
        with self._changed:
            if start < self._start or self._gone:
                return None
            while self._blocks and self._start + len(self._blocks[0]) <= start:
                self._start += len(self._blocks.popleft())
            found, position = [], self._start
            for block in self._blocks:
                if position >= start + length:
                    break
                found.append(block[max(0, start - position) : start + length - position])
                position += len(block)
            data = b"".join(found)
            # Not when the blocks go: who has read all that there is does not read again before there is more.
            self._seen = start + len(data)
            self._changed.notify_all()
            return data

    def close(self) -> None:
        """Stop asking."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _run(self) -> None:
        pause, ends = FIRST_PAUSE, 0
        try:
            while not self._over and ends < ENDS:
                before, begun = self._end, time.monotonic()
                ends = ends + 1 if self._connect() and self._end == before else 0
                fruitful = self._end > before or time.monotonic() - begun > LONGEST_PAUSE
                pause = FIRST_PAUSE if fruitful else min(2 * pause, LONGEST_PAUSE)
                with self._changed:
                    self._changed.wait_for(lambda: self._over, pause)
        except (LostPlaceError, NotFoundError, PermissionDeniedError):
            pass
        with self._changed:
            self._gone = True
            self._blocks.clear()

    def _connect(self) -> bool:
        """Take what comes until the connection ends; tell whether it ended in order.

        Raises:
            LostPlaceError: What comes is not what came before, or nobody reads it.
        """
        query = {"container": self._container, "follow": "true", "timestamps": "true"}
        if since := self._stamped.resume():
            query["sinceTime"] = since
        try:
            with contextlib.closing(self._api.stream(self._path, read_timeout=SILENCE, **query)) as stream:
                for block in stream:
                    self._take(self._stamped.feed(block))
                    if self._over:
                        return True
        except (NotFoundError, PermissionDeniedError):
            raise
        except MlctlError:
            return False
        return True

    def _take(self, text: bytes) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._over or self._end - self._seen < HELD, STALL):
                raise LostPlaceError
            if text:
                self._blocks.append(text)
                self._end += len(text)
