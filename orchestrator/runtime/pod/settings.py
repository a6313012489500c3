"""What a pod's containers are told by their environment."""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from orchestrator.config import Context
from orchestrator.errors import UsageError
from orchestrator.runtime.pod.volume import Volume
from orchestrator.runtime.task import JOB
from orchestrator.runtime.worker import Worker

SAVE_EVERY = 120.0  # seconds
_NEEDED = ("MLCTL_STORE", "MLCTL_JOB_KEY", "MLCTL_VOLUME")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a pod finds its job.

    Attributes:
        context: How the stores are reached; keys come from the environment.
        key: Of the job version's record, as in `jobs/mnist/V0003/job.json`.
        volume: The folder that the pod's containers share.
        worker: Which of the job's workers it is.
        pod: Name of the pod.
        save_every: Seconds between two savings of the output while the script runs.
        retries: How often a script that fails is started again, in a pod of its own.
    """

    context: Context
    key: str
    volume: Volume
    worker: Worker
    pod: str
    save_every: float = SAVE_EVERY
    retries: int = 0

    @property
    def prefix(self) -> str:
        """Return the prefix of all that belongs to the job version."""
        return self.key.removesuffix(JOB)


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Return the settings.

    Args:
        environment: MLCTL_STORE (JSON: `store`, `endpoint`, `region`, ... of a context), MLCTL_JOB_KEY, MLCTL_VOLUME;
            MLCTL_POD, MLCTL_SAVE_EVERY (seconds), MLCTL_RETRIES; of a job with several workers JOB_COMPLETION_INDEX
            and MLCTL_HOSTS (addresses, with commas).

    Raises:
        UsageError: A variable is missing or makes no sense.
    """
    if missing := [name for name in _NEEDED if not environment.get(name)]:
        hint = "this program is started in pods, by mlctl"
        raise UsageError(f"{', '.join(missing)} must be set", hint=hint)
    try:
        fields = msgspec.json.decode(environment["MLCTL_STORE"], type=dict[str, str | bool | None])
        context = msgspec.convert({"name": "pod", **fields}, Context)
    except msgspec.DecodeError as error:
        raise UsageError(f"MLCTL_STORE is not right: {error}") from error
    index = environment.get("JOB_COMPLETION_INDEX") or "0"
    hosts = tuple((environment.get("MLCTL_HOSTS") or "127.0.0.1").split(","))
    if not index.isdecimal() or int(index) >= len(hosts):
        raise UsageError(f"JOB_COMPLETION_INDEX is {index}, MLCTL_HOSTS has {len(hosts)} addresses")
    return Settings(
        context=context,
        key=environment["MLCTL_JOB_KEY"],
        volume=Volume(Path(environment["MLCTL_VOLUME"])),
        worker=Worker(index=int(index), hosts=hosts),
        pod=environment.get("MLCTL_POD", ""),
        save_every=_number(environment, "MLCTL_SAVE_EVERY", SAVE_EVERY),
        retries=int(_number(environment, "MLCTL_RETRIES", 0)),
    )


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name)
    try:
        return float(text) if text else default
    except ValueError:
        raise UsageError(f"{name} is {text!r}, which is no number") from None


def on_sigterm(handler: Callable[[], object]) -> None:
    """Call a handler, once and in a thread of its own, when SIGTERM comes, which every thread has to hold back.

    Python's own handlers interrupt the main thread anywhere: a lock that it holds there is never free again,
    and what they raise may be lost.
    """

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        handler()

    threading.Thread(target=wait, daemon=True).start()


def settle(settings: Settings) -> None:
    """Have mlctl keep what it keeps on a machine in the volume, which outlives a container's restart."""
    os.environ["MLCTL_HOME"] = str(settings.volume.home)
    os.environ["MLCTL_CACHE"] = str(settings.volume.home / "cache")
    os.umask(0o002)  # the script may run as another user of the volume's group
