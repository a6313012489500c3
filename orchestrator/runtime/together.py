"""From the ends of several workers to that of their job: a pure function."""

from collections.abc import Mapping

import msgspec

from orchestrator.runtime.status import Reason, State, Status


def end_of_all(first: Status, others: Mapping[int, Status], *, ended: bool = False) -> Status:
    """Return the end of a job.

    A worker that failed by itself is why the job failed: the others are ended then, or end by the error of not
    finding it.

    Args:
        first: How the first worker ended.
        others: How the others did, by index, as far as that is known.
        ended: Whether it is known that the first one was ended because another had failed.
    """
    if first.state is State.CANCELLED or first.reason in (Reason.TIMEOUT, Reason.BUDGET_EXCEEDED):
        return first
    failed = [(index, end) for index, end in others.items() if end.state is State.FAILED]
    failed.sort(key=lambda item: (item[1].reason is Reason.KILLED, item[1].finished))
    if not failed:
        return first
    index, why = failed[0]
    own = first.state is State.FAILED and first.reason is not Reason.KILLED
    if own and not ended and (why.reason is Reason.KILLED or first.finished <= why.finished):
        return first
    if first.state is State.FAILED and not ended and why.reason is Reason.KILLED:
        return first
    return msgspec.structs.replace(
        first,
        state=State.FAILED,
        reason=why.reason,
        message=f"worker {index}: {why.message}",
        hint=why.hint,
        exit_code=why.exit_code,
        signal=why.signal,
        last_lines=why.last_lines,
        unclear=why.unclear,
    )
