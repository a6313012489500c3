"""What is known about a job: its state, the reason for it, and what to do next (DESIGN, D6)."""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """Where a job stands; the mappings that go with a state live here."""

    QUEUED = "QUEUED"
    PENDING = "PENDING"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    RECOVERING = "RECOVERING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def finished(self) -> bool:
        """Tell whether the state is final."""
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class Reason(StrEnum):
    """Why a job is in its state; each has a hint that says what to do next."""

    NO_CAPACITY = "NoCapacity"
    NOT_STARTED = "NotStarted"
    CODE_MISSING = "CodeMissing"
    DATA_MISSING = "DataMissing"
    DATA_DAMAGED = "DataDamaged"
    START_FAILED = "StartFailed"
    OUT_OF_MEMORY = "OutOfMemory"
    DISK_FULL = "DiskFull"
    USER_ERROR = "UserError"
    KILLED = "Killed"
    TIMEOUT = "Timeout"
    CANCELLED_BY_USER = "CancelledByUser"
    SUPERVISOR_LOST = "SupervisorLost"
    OUTPUT_NOT_SAVED = "OutputNotSaved"

    @property
    def hint(self) -> str:
        """Return the next step; `{job}` and `{version}` are the job's."""
        return _HINTS[self]


_HINTS = {
    Reason.NO_CAPACITY: "it starts by itself when the jobs before it have ended; see: mlctl job list",
    Reason.NOT_STARTED: "run the same create command again: it goes on as this version",
    Reason.CODE_MISSING: "create the job again: its code is sent anew",
    Reason.DATA_MISSING: "look at the data: mlctl dataset list; then create the job again",
    Reason.DATA_DAMAGED: "find what is damaged: mlctl dataset verify NAME; push or import it anew",
    Reason.START_FAILED: "look at the message, mend the cause and create the job again",
    Reason.OUT_OF_MEMORY: "give it more memory (resources.memory or a larger flavor) or a smaller batch size",
    Reason.DISK_FULL: "free some disk space and create the job again",
    Reason.USER_ERROR: "read the script's last words: mlctl logs {job} -v {version} --tail 50",
    Reason.KILLED: "somebody or the system killed the script; if memory was short, give it more",
    Reason.TIMEOUT: "raise max_duration in the spec, or train fewer epochs",
    Reason.CANCELLED_BY_USER: "create the job again to get a new version",
    Reason.SUPERVISOR_LOST: "create the job again; what it wrote so far: mlctl job outputs {job} -v {version}",
    Reason.OUTPUT_NOT_SAVED: "mend the store, then look again, which saves it: mlctl job get {job} -v {version}",
}


class Status(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The changing part of a job version's record, `status.json`; written by one process only.

    Attributes:
        state: Where the job stands.
        reason: Why; empty while all is well.
        message: One sentence for people.
        hint: What to do next.
        queued, started, finished: Seconds since the epoch; `started` is the script's start.
        heartbeat: When the process beside the script last wrote, seconds since the epoch.
        exit_code: The script's own, if it ended by itself.
        signal: Name of the signal that ended it, as `SIGKILL`.
        last_lines: The end of the log of a job that failed.
        peak_memory: Bytes, of the script and all its processes.
        cpu_seconds: User and system time of the script and all its processes.
        log_bytes: Length of the saved log.
        output_files: Number of files saved as output.
        output_bytes: Their size.
        output_complete: Whether the output is that of a job that ended well.
        attempt: How often it was started, counted from 1; more than once where a node was lost or taken away.
        pod: Name of the pod of that attempt.
    """

    state: State = State.QUEUED
    reason: Reason | None = None
    message: str = ""
    hint: str = ""
    queued: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    heartbeat: float = 0.0
    exit_code: int | None = None
    signal: str = ""
    last_lines: list[str] = []
    peak_memory: int = 0
    cpu_seconds: float = 0.0
    log_bytes: int = 0
    output_files: int = 0
    output_bytes: int = 0
    output_complete: bool = False
    attempt: int = 1
    pod: str = ""
