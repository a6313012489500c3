"""For how long nobody has asked a service of several pods, each of which knows only what it was asked itself."""

import time
from collections.abc import Callable
from typing import Any

DAY = 24 * 3600.0  # seconds; what was asked later than that is in use, and more need not be known
PER_POD, MOST = 5, 40  # questions: whoever asks a Service cannot choose the pod that answers


def unused(told: dict[str, Any], ask: Callable[[], dict[str, Any]], pods: int) -> float:
    """Return for how many seconds no pod of a service was asked; 0 if that cannot be told, or one was within a day.

    Args:
        told: What one pod has told of itself.
        ask: Has any pod tell the same.
        pods: How many there are.
    """
    used: dict[str, float] = {}
    for _ in range(min(MOST, PER_POD * pods)):
        if "front" not in told:  # it does not take the token that is known here
            break
        used[told["front"]] = told["used"]
        if time.time() - max(used.values()) <= DAY:
            break
        if len(used) >= pods:
            return time.time() - max(used.values())
        told = ask()
    return 0.0
