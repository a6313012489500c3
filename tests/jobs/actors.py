"""Several who use one store at once, each of which goes on by one request when it is told to."""

import threading
from collections.abc import Callable

from orchestrator.store import gather
from tests.jobs.memory import MemoryStore


class Killed(BaseException):
    """The actor was killed before its next request."""


class Actor:
    """Does something with a store in a thread of its own, one request at a time."""

    def __init__(self, store: MemoryStore, work: Callable[[], object]) -> None:
        self.result: object = None
        self.error: BaseException | None = None
        self._work = work
        self._store = store
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._killed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.over = False
        _actors[self._thread] = self
        self._thread.start()
        self._stopped.acquire()

    def step(self) -> None:
        """Let it do its next request."""
        if not self.over:
            self._go.release()
            self._stopped.acquire()

    def finish(self) -> None:
        """Let it go on to its end."""
        while not self.over:
            self.step()

    def kill(self) -> None:
        """End it before its next request."""
        self._killed = True
        self.finish()

    def pause(self) -> None:
        """Wait to be told to go on; called by the store before each request."""
        self._stopped.release()
        self._go.acquire()
        if self._killed:
            raise Killed

    def _run(self) -> None:
        gather._thread.gathers = True  # everything in this thread
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001  (told to who looks)
            self.error = error
        self.over = True
        self._stopped.release()


_actors: dict[threading.Thread, Actor] = {}


def obey(store: MemoryStore) -> None:
    """Make all requests of actors to this store wait for their turn."""

    def before(_request: str, _key: str) -> None:
        if actor := _actors.get(threading.current_thread()):
            actor.pause()

    store.before = before
