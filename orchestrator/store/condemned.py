"""What a collector of garbage is about to delete, for whoever is about to use the same objects.

A collector writes `gc/<id>.json`, the list of the keys it means, and then looks once more for signs that somebody
uses them. A user first gives its sign, then looks for such lists and waits for those that concern it, then looks
whether the object is there. Whichever of the two wrote first, the other one sees it (docs/decisions.md has the proof).
"""

import os
import time
from collections.abc import Callable, Collection

import msgspec

from orchestrator.progress import SILENT, Reporter
from orchestrator.store.base import ObjectNotFoundError, Store, list_objects
from orchestrator.store.records import read, write

PREFIX = "gc/"
YOUNGEST = 3600.0  # seconds; what is younger is in use, whatever a user of the collector asks for
FRESH = 1800.0  # seconds; an object of this age need not be written anew to show that it is used
# A list is in force for so many seconds: one that is older was left by a collector that was killed.
IN_FORCE = 900.0
# Seconds after which a collector begins no further request under its list. All attempts of that request (two minutes)
# and clocks that differ fit into the rest.
SENDING = 300.0
PAUSE = 0.2  # seconds between two looks
LONGEST_PAUSE = 2.0  # seconds


class Condemned(msgspec.Struct, frozen=True):
    """The keys of objects that are being deleted."""

    keys: list[str]


def condemn(store: Store, keys: Collection[str]) -> str:
    """Write the list of what is going to be deleted, and return its own key."""
    place = f"{PREFIX}{os.urandom(8).hex()}.json"
    write(store, place, Condemned(sorted(keys)))
    return place


def wait_for_collectors(
    store: Store, prefix: str, *, reporter: Reporter = SILENT, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Return when no list in force names a key that starts with `prefix`; call it after giving a sign of use.

    Args:
        store: Where the objects are.
        prefix: A key, or the prefix of several.
        reporter: Told that it takes time.
        sleep: Waits so many seconds.
    """
    pause = PAUSE
    while _is_condemned(store, prefix):
        if pause == PAUSE:
            reporter.note(
                f"`mlctl store gc` is deleting old objects below {prefix}: waiting for it, or "
                f"{IN_FORCE / 60:.0f} minutes if it was killed"
            )
        sleep(pause)
        pause = min(1.5 * pause, LONGEST_PAUSE)


def _is_condemned(store: Store, prefix: str) -> bool:
    for item in list_objects(store, PREFIX):
        if not is_list(item.key) or time.time() - item.modified > IN_FORCE:
            continue
        try:
            listed = read(store, item.key, Condemned)
        except ObjectNotFoundError:  # withdrawn just now
            continue
        if any(key.startswith(prefix) for key in listed.keys):
            return True
    return False


def is_list(key: str) -> bool:
    """Tell whether a key is that of a list: what else is below `gc/` is not ours."""
    name = key.removeprefix(PREFIX).removesuffix(".json")
    return key == f"{PREFIX}{name}.json" and len(name) == 16 and set(name) <= set("0123456789abcdef")
