"""What a pod with TensorBoard has beside it: brings event files from the store, as they grow."""

import os
import threading

import msgspec

from orchestrator.errors import MlctlError
from orchestrator.runtime.events.follow import Follower
from orchestrator.runtime.events.sources import StoreSource
from orchestrator.runtime.patience import complain, say
from orchestrator.runtime.pod.settings import Settings, on_sigterm
from orchestrator.store import open_store

RUNS = "MLCTL_RUNS"  # variable: what is shown, as JSON
FOLDER = "runs"  # in the volume
FIRST_POLL = 1.0  # seconds between two looks for new events; grows while nothing comes
LONGEST_POLL = 15.0  # seconds


class Shown(msgspec.Struct, frozen=True):
    """A version that is shown.

    Attributes:
        run: What TensorBoard calls it, as in `V0003`.
        store: URL of the store with its output.
        prefix: Of the output.
    """

    run: str
    store: str
    prefix: str


def bring_events(settings: Settings) -> int:
    """Bring what is new until SIGTERM comes, and return the exit code."""
    stop = threading.Event()
    on_sigterm(stop.set)
    followers = [_follower(settings, one) for one in msgspec.json.decode(os.environ[RUNS], type=list[Shown])]
    pause = FIRST_POLL
    while not stop.is_set():
        try:
            pause = FIRST_POLL if sum(follower.fetch() for follower in followers) else min(1.2 * pause, LONGEST_POLL)
        except MlctlError as error:  # the store is away
            complain(error)
            pause = LONGEST_POLL
        stop.wait(pause)
    return 0


def _follower(settings: Settings, shown: Shown) -> Follower:
    folder = settings.volume.folder / FOLDER / shown.run
    folder.mkdir(parents=True, exist_ok=True)
    return Follower(lambda: StoreSource(open_store(shown.store, settings.context), shown.prefix), folder, say)
