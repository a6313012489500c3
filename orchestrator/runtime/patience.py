"""Try something again and again while the store is away."""

import contextlib
import random
import sys
import time
from collections.abc import Callable

FIRST_PAUSE = 1.0  # seconds between two attempts; doubled each time, and a random part less
LONGEST_PAUSE = 60.0  # seconds
STEP = 0.5  # seconds between two looks whether to give up


def keep_trying(
    attempt: Callable[[], bool],
    *,
    patience: float,
    give_up: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Call `attempt` until it returns True, and tell whether it did in time.

    Args:
        attempt: Does it, and tells whether that worked.
        patience: Seconds after which no new attempt is made.
        give_up: Tells that somebody wants it to end.
        clock: The time in seconds, from any start.
        sleep: Waits for so many seconds.
    """
    deadline = clock() + patience
    pause = FIRST_PAUSE
    while not attempt():
        until = min(clock() + random.uniform(pause / 2, pause), deadline)
        while not give_up() and (left := until - clock()) > 0:
            sleep(min(STEP, left))
        if give_up() or clock() >= deadline:
            return False
        pause = min(2 * pause, LONGEST_PAUSE)
    return True


def complain(error: Exception) -> None:
    """Note on stderr what went wrong and is tried again."""
    say(str(error))


def say(text: str) -> None:
    """Note something on stderr, with the time; a full disk takes no notes."""
    with contextlib.suppress(OSError):
        print(f"{time.strftime('%FT%T')} {text}", file=sys.stderr, flush=True)
