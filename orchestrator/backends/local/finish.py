"""Bring everything a finished run left on this machine into the store, and say how it ended.

Used by the supervisor at the end of its run, and by any later command when the supervisor died or
could not reach the store. Every step may be repeated.
"""

import time

from orchestrator.backends.local.rundir import Order, RunDir
from orchestrator.runtime.arrivals import Arrivals
from orchestrator.runtime.ending import concluded, save_end
from orchestrator.runtime.exits import Exit
from orchestrator.runtime.status import Reason, Status
from orchestrator.store import open_store


def finish(
    run: RunDir,
    order: Order,
    status: Status,
    end: Exit,
    *,
    arrivals: Arrivals | None = None,
    patience: float | None = None,
) -> Status:
    """Save log and output, then the final status, and remove the work folder.

    Args:
        run: The run.
        order: What its supervisor was told.
        status: Its status so far.
        end: How its script ended.
        arrivals: When its log came, where that is known.
        patience: Seconds that a store may take for one request with all its attempts.

    Returns:
        The final status. If the store failed its reason is `OutputNotSaved`, nothing is removed, and it
        is nowhere but here: call again later.
    """
    final = save_end(
        order.task,
        run.workspace,
        concluded(order.task, run.workspace, status, end),
        lambda url: open_store(url, order.context, patience=patience),
        arrivals=arrivals or Arrivals(run.workspace.log, time.time),
    )
    if final.reason is not Reason.OUTPUT_NOT_SAVED:
        run.remove()
    return final
