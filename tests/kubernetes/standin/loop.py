"""The loop that runs the controllers: each is told what changed, and looks at what that touches."""

import heapq
import threading
import time
from collections.abc import Iterable
from typing import Protocol

from tests.kubernetes.standin.status import ApiError
from tests.kubernetes.standin.store import Change, Key, Store

RETRY = 0.05  # seconds, after a conflict


class Controller(Protocol):
    """Brings some objects to where they should be."""

    def keys(self, change: Change) -> Iterable[Key]:
        """Say which of its objects a change touches."""

    def reconcile(self, key: Key) -> float | None:
        """Look at one of them; gives the seconds after which to look again, if it must."""


class Loop:
    """A thread that runs controllers.

    Attributes:
        failed: Whether it broke off, by a mistake of the stand-in's, whose traceback is on stderr.
    """

    def __init__(self, store: Store, controllers: list[Controller]) -> None:
        self.failed = False
        self._store = store
        self._controllers = controllers
        self._due: list[tuple[float, int, Key]] = []
        self._known = 0
        self._thread = threading.Thread(target=self._run, daemon=True, name="controllers")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end, after the store was closed."""
        self._thread.join()

    def _run(self) -> None:
        self.failed = True  # until it has ended well
        self._turn()
        self.failed = False

    def _turn(self) -> None:
        while not self._store.closed:
            with self._store.locked():
                first = self._due[0][0] if self._due else None
                if first is None or first > time.monotonic():
                    self._store.wait(self._known, first)
                changes, self._known = self._store.since(self._known), self._store.revision
                for at, controller in enumerate(self._controllers):
                    for key in {key for change in changes for key in controller.keys(change)}:
                        heapq.heappush(self._due, (0.0, at, key))
                moment, ready = time.monotonic(), dict[tuple[int, Key], None]()
                while self._due and self._due[0][0] <= moment:
                    ready[heapq.heappop(self._due)[1:]] = None
            for at, key in ready:
                self._reconcile(at, key)

    def _reconcile(self, at: int, key: Key) -> None:
        try:
            again = self._controllers[at].reconcile(key)
        except ApiError as error:
            again = RETRY
            if error.code not in {404, 409}:
                raise
        if again is not None:
            with self._store.locked():
                heapq.heappush(self._due, (time.monotonic() + again, at, key))
