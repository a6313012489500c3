"""Waiting for what happens elsewhere, by looking again and again."""

import time
from collections.abc import Callable
from typing import TypeVar

SECONDS = 90.0  # a busy machine needs some
POLL = 0.02  # seconds
T = TypeVar("T")


def wait_until(look: Callable[[], T], what: str = "it to happen") -> T:
    """Wait until a look finds something true, and give it."""
    end = time.monotonic() + SECONDS
    while not (found := look()):
        assert time.monotonic() < end, f"in vain: waiting for {what}"
        time.sleep(POLL)
    return found
