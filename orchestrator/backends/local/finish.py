"""Bring everything a finished run left on this machine into the store, and say how it ended.

Used by the supervisor at the end of its run, and by any later command when the supervisor died or
could not reach the store. Every step may be repeated.
"""

import time
from collections.abc import Sequence

from orchestrator.backends.local.rundir import Order, RunDir
from orchestrator.ports import HERE
from orchestrator.runtime.arrivals import Arrivals
from orchestrator.runtime.ending import concluded, save_end
from orchestrator.runtime.exits import Exit
from orchestrator.runtime.status import Reason, Status
from orchestrator.runtime.together import end_of_all
from orchestrator.runtime.worker import Worker
from orchestrator.store import open_store


def finish(
    run: RunDir,
    order: Order,
    status: Status,
    ends: Sequence[Exit],
    *,
    arrivals: Sequence[Arrivals] = (),
    patience: float | None = None,
) -> Status:
    """Save logs and outputs, then the final status, and remove the work folder.

    Args:
        run: The run.
        order: What its supervisor was told.
        status: Its status so far.
        ends: How the scripts of its workers ended; of a run that never began, only the first is told.
        arrivals: When their logs came, where that is known.
        patience: Seconds that a store may take for one request with all its attempts.

    Returns:
        The final status. If the store failed its reason is `OutputNotSaved`, nothing is removed, and it
        is nowhere but here: call again later.
    """
    hosts = (HERE,) * order.nodes
    places = [run.worker(index) for index in range(len(ends))]
    finals = [concluded(order.task, place.workspace, status, end) for place, end in zip(places, ends, strict=True)]
    others = {index: finals[index] for index in range(1, len(ends)) if ends[index].cause != "peer"}
    finals[0] = end_of_all(finals[0], others, ended=ends[0].cause == "peer")
    # The first worker's end is the job's, and its record has what the others have saved.
    for place, final in reversed(list(zip(places, finals, strict=True))):
        final = save_end(
            order.task,
            place.workspace,
            final,
            lambda url: open_store(url, order.context, patience=patience),
            arrivals=arrivals[place.index] if arrivals else Arrivals(place.workspace.log, time.time),
            worker=Worker(index=place.index, hosts=hosts),
        )
        if final.reason is Reason.OUTPUT_NOT_SAVED:
            return final
    run.remove()
    return final
