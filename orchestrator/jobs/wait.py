"""Wait for a job version to end."""

import time
from collections.abc import Callable

from orchestrator.errors import JobNotFinishedError
from orchestrator.jobs.view import JobView

FIRST_POLL = 0.1  # seconds between two looks; grows with the wait
LONGEST_POLL = 1.0  # seconds


def wait_for_end(look: Callable[[], JobView], *, timeout: float | None, sleep: Callable[[float], None]) -> JobView:
    """Return a job version when it has ended.

    Args:
        look: Returns it as it is.
        timeout: Seconds; None waits for ever.
        sleep: Waits so many seconds.

    Raises:
        JobNotFinishedError: It had not ended after `timeout` seconds.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = FIRST_POLL
    while not (view := look()).status.state.finished:
        if deadline is not None and time.monotonic() >= deadline:
            message = f"{view.ref} is still {view.status.state} after {timeout:g} s"
            hint = view.status.hint or f"mlctl logs -f {view.name} -v {view.version}"
            raise JobNotFinishedError(message, hint=hint)
        sleep(pause)
        pause = min(pause * 1.2, LONGEST_POLL)
    return view
