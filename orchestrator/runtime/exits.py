"""From how a script ended to what to tell the user: pure functions."""

import signal
from typing import Literal

import msgspec

from orchestrator.runtime.status import Reason, State

Cause = Literal["exit", "cancelled", "timeout", "memory", "lost", "stopped", "peer", "companion", "not-started"]
_OOM_WORDS = ("MemoryError", "std::bad_alloc", "Cannot allocate memory", "CUDA out of memory", "OutOfMemoryError")
_FULL_WORDS = ("No space left on device", "Disk quota exceeded")


class Exit(msgspec.Struct, kw_only=True):
    """How a script ended.

    Attributes:
        cause: Who ended it: itself, the user, a limit, the loss of its supervisor, the cluster, the failure of another
            worker, or that of a server beside it.
        code: Exit code, if it ended by itself.
        signal: Number of the signal that ended it, or 0.
        error: Why it could not be started, or what failed beside it, if so.
        reason: The reason that belongs to `error`, where it is known.
        started, finished: Seconds since the epoch.
        peak_memory: Bytes.
        cpu_seconds: User and system time.
        out_of_memory: Whether the kernel counted an out-of-memory kill meanwhile.
        disk_full: Whether there was no room left where it writes, not even for its log.
    """

    cause: Cause = "exit"
    code: int | None = None
    signal: int = 0
    error: str = ""
    reason: Reason | None = None
    started: float = 0.0
    finished: float = 0.0
    peak_memory: int = 0
    cpu_seconds: float = 0.0
    out_of_memory: bool = False
    disk_full: bool = False


def signal_name(number: int) -> str:
    """Return `SIGKILL` for 9; `signal 99` for one without a name; empty for 0."""
    if not number:
        return ""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def conclude(
    end: Exit, *, last_lines: list[str], max_duration: str, memory: str, budget: str = ""
) -> tuple[State, Reason | None, str]:
    """Return the final state, the reason and one sentence for a script's end.

    Args:
        end: How it ended.
        last_lines: The end of its log, where out-of-memory and full disks show.
        max_duration: The limit, for people.
        memory: The limit, for people.
        budget: What `max_duration` pays for, for people, if it is a matter of that.
    """
    text = "\n".join(last_lines)
    match end.cause:
        case "cancelled":
            return State.CANCELLED, Reason.CANCELLED_BY_USER, "cancelled"
        case "timeout" if budget:
            message = f"the script ran as long as max_cost ({budget}) pays for: {max_duration}"
            return State.FAILED, Reason.BUDGET_EXCEEDED, message
        case "timeout":
            return State.FAILED, Reason.TIMEOUT, f"the script ran longer than max_duration ({max_duration})"
        case "memory":
            return State.FAILED, Reason.OUT_OF_MEMORY, f"the script used more memory than its limit ({memory})"
        case "lost":
            message = "the process that looked after the script was killed, and the script with it"
            return State.FAILED, Reason.SUPERVISOR_LOST, message
        case "stopped":
            return State.FAILED, Reason.KILLED, "the cluster ended the pod, and the script with it"
        case "peer":
            return State.FAILED, Reason.KILLED, "another worker failed, and this one was ended"
        case "companion":
            return State.FAILED, Reason.USER_ERROR, end.error
        case "not-started":
            return State.FAILED, end.reason or Reason.START_FAILED, f"the script could not be started: {end.error}"
    if end.code == 0:
        return State.SUCCEEDED, None, ""
    how = f"exit code {end.code}" if end.code is not None else signal_name(end.signal)
    if end.out_of_memory or any(word in text for word in _OOM_WORDS):
        return State.FAILED, Reason.OUT_OF_MEMORY, f"the script ran out of memory ({how})"
    if end.disk_full or any(word in text for word in _FULL_WORDS):
        return State.FAILED, Reason.DISK_FULL, f"the script met a full disk ({how})"
    if end.signal == signal.SIGKILL:
        return State.FAILED, Reason.KILLED, "the script was killed (SIGKILL), not by mlctl"
    return State.FAILED, Reason.USER_ERROR, f"the script failed with {how}"
