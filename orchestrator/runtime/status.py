"""What is known about a job: its state, the reason for it, and what to do next (DESIGN, D6)."""

from enum import StrEnum

import msgspec

from orchestrator.metrics.table import Progress, Summary


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
    REQUIREMENTS_FAILED = "RequirementsFailed"
    START_FAILED = "StartFailed"
    OUT_OF_MEMORY = "OutOfMemory"
    DISK_FULL = "DiskFull"
    USER_ERROR = "UserError"
    KILLED = "Killed"
    TIMEOUT = "Timeout"
    BUDGET_EXCEEDED = "BudgetExceeded"
    CANCELLED_BY_USER = "CancelledByUser"
    CANCELLED_BY_SWEEP = "CancelledBySweep"
    PRUNED = "Pruned"
    SUPERVISOR_LOST = "SupervisorLost"
    OUTPUT_NOT_SAVED = "OutputNotSaved"
    UNSCHEDULABLE = "Unschedulable"
    IN_QUEUE = "InQueue"
    QUOTA_EXCEEDED = "QuotaExceeded"
    REFUSED = "Refused"
    IMAGE_PULL = "ImagePull"
    CONFIG_MISSING = "ConfigMissing"
    VOLUME_NOT_BOUND = "VolumeNotBound"
    NO_SHELL = "NoShell"
    NODE_LOST = "NodeLost"
    PREEMPTED = "Preempted"
    EVICTED = "Evicted"
    POD_DELETED = "PodDeleted"
    JOB_DELETED = "JobDeleted"

    @property
    def meaning(self) -> str:
        """Return what has happened, in one sentence."""
        return _MEANINGS[self]

    @property
    def hint(self) -> str:
        """Return the next step; `{job}` and `{version}` are the job's."""
        return _HINTS[self]


_MEANINGS = {
    Reason.NO_CAPACITY: "What the job asks for is taken by others now.",
    Reason.NOT_STARTED: "The job was recorded, but the create command was interrupted before it started.",
    Reason.CODE_MISSING: "The archive of its code is not in the store any more.",
    Reason.DATA_MISSING: "The version of the dataset that it reads is not in the store any more.",
    Reason.DATA_DAMAGED: "A file that it reads is not what its hash says.",
    Reason.REQUIREMENTS_FAILED: "The packages of `pip-requirements.txt` could not be installed in the image.",
    Reason.START_FAILED: "The script could not be started.",
    Reason.OUT_OF_MEMORY: "The script needed more memory than it may have.",
    Reason.DISK_FULL: "The disk of the machine, or the job's share of it, is full.",
    Reason.USER_ERROR: "The script ended with an error of its own.",
    Reason.KILLED: "The script was killed, not by mlctl.",
    Reason.TIMEOUT: "The script ran longer than `max_duration`.",
    Reason.BUDGET_EXCEEDED: "The script ran as long as `max_cost` pays for.",
    Reason.CANCELLED_BY_USER: "Somebody cancelled it.",
    Reason.CANCELLED_BY_SWEEP: "The sweep that it belongs to has ended.",
    Reason.PRUNED: "Its sweep ended it early: other trials were better by then.",
    Reason.SUPERVISOR_LOST: "The process that looked after the script on this machine was killed.",
    Reason.OUTPUT_NOT_SAVED: "The store did not take the log or the output.",
    Reason.UNSCHEDULABLE: "No node of the cluster can ever take it as it is.",
    Reason.IN_QUEUE: "It waits in a queue of the cluster (Kueue).",
    Reason.QUOTA_EXCEEDED: "The namespace's quota is used up, or is less than it asks for.",
    Reason.REFUSED: "The cluster's policy refuses its pods.",
    Reason.IMAGE_PULL: "A container image cannot be had.",
    Reason.CONFIG_MISSING: "A Secret or ConfigMap that it names is not in the namespace.",
    Reason.VOLUME_NOT_BOUND: "A volume that it names is not there or cannot be mounted.",
    Reason.NO_SHELL: "The image has no /bin/sh, which starts the script.",
    Reason.NODE_LOST: "The node that it ran on does not answer any more.",
    Reason.PREEMPTED: "A job of higher priority took its place.",
    Reason.EVICTED: "The node put it out, most often because its disk or memory ran short.",
    Reason.POD_DELETED: "Somebody deleted its pod.",
    Reason.JOB_DELETED: "Its Job object is not in the cluster any more.",
}
_HINTS = {
    Reason.NO_CAPACITY: "it starts by itself when the jobs before it have ended; see: mlctl job list",
    Reason.NOT_STARTED: "run the same create command again: it goes on as this version",
    Reason.CODE_MISSING: "create the job again: its code is sent anew",
    Reason.DATA_MISSING: "look at the data: mlctl dataset list; then create the job again",
    Reason.DATA_DAMAGED: "find what is damaged: mlctl dataset verify NAME; push or import it anew",
    Reason.REQUIREMENTS_FAILED: "read what pip says: mlctl logs {job} -v {version}; correct pip-requirements.txt, or "
    "name an index that pods reach in the spec: env: {{PIP_INDEX_URL: ...}}",
    Reason.START_FAILED: "look at the message, mend the cause and create the job again",
    Reason.OUT_OF_MEMORY: "give it more memory (resources.memory or a larger flavor) or a smaller batch size",
    Reason.DISK_FULL: "free disk space, or on a cluster ask for more (kubernetes.disk); then create the job again",
    Reason.USER_ERROR: "read the script's last words: mlctl logs {job} -v {version} --tail 50",
    Reason.KILLED: "somebody or the system killed the script; if memory was short, give it more",
    Reason.TIMEOUT: "raise max_duration in the spec, or train fewer epochs",
    Reason.BUDGET_EXCEEDED: "raise max_cost in the spec, take a smaller flavor, or train fewer epochs",
    Reason.CANCELLED_BY_USER: "create the job again to get a new version",
    Reason.CANCELLED_BY_SWEEP: "see why, and how far it came: mlctl sweep list",
    Reason.PRUNED: "to let each trial run to its end, leave early_stopping out of the sweep's spec",
    Reason.SUPERVISOR_LOST: "create the job again; what it wrote so far: mlctl job outputs {job} -v {version}",
    Reason.OUTPUT_NOT_SAVED: "mend the store, then look again, which saves it: mlctl job get {job} -v {version}",
    Reason.UNSCHEDULABLE: "ask for what a node has: mlctl job get {job} -v {version} says why each does not fit",
    Reason.IN_QUEUE: "it starts by itself when its turn comes; see: mlctl queue",
    Reason.QUOTA_EXCEEDED: "it starts by itself when other jobs of the namespace have ended; see: mlctl queue",
    Reason.REFUSED: "change what the message names under kubernetes: in the spec, or ask who runs the cluster",
    Reason.IMAGE_PULL: "build and push the image (mlctl images build), or name what may pull it: image_pull_secrets",
    Reason.CONFIG_MISSING: "make what the message names in the namespace; the pod starts by itself then",
    Reason.VOLUME_NOT_BOUND: "look at the claim: kubectl get pvc; the pod starts by itself when it is bound",
    Reason.NO_SHELL: "use an image with /bin/sh, as every engine image has",
    Reason.NODE_LOST: "it is started again on another node by itself; mlctl job events {job} -v {version}",
    Reason.PREEMPTED: "it is started again by itself when there is room; a higher priority_class prevents it",
    Reason.EVICTED: "ask for what it needs (resources.memory), or write less to the node's disk",
    Reason.POD_DELETED: "create the job again; what it wrote so far: mlctl job outputs {job} -v {version}",
    Reason.JOB_DELETED: "create the job again; what it wrote so far: mlctl job outputs {job} -v {version}",
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
        model: Version of a model that the output has become, as `digits/V0002`.
        earlier: Seconds that earlier attempts ran.
        attempt: How often it was started, counted from 1; more than once where a node was lost or taken away.
        pod: Name of the pod of that attempt.
        details: More about the reason, a line each: on a cluster why each node does not fit.
        metrics: What the script measured, by name.
        progress: How far it is, where that can be told.
        unclear: Whether the cluster may know better why it ended: whoever looks asks it, and writes that down.
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
    model: str = ""
    earlier: float = 0.0
    attempt: int = 1
    pod: str = ""
    details: list[str] = []
    metrics: dict[str, Summary] = {}
    progress: Progress | None = None
    unclear: bool = False

    @property
    def ran(self) -> float:
        """Return the seconds that the script's last attempt ran, as far as it was told."""
        return max(0.0, (self.finished or self.heartbeat) - self.started) if self.started else 0.0
