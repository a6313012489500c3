"""What the script's container uses, as the launcher tells in the volume."""

import time

from orchestrator.runtime.measure.gpus import read_usage
from orchestrator.runtime.pod.volume import Volume


class ContainerUsage:
    """Looks at one container, from time to time."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._before: tuple[float, float] | None = None

    def sample(self) -> dict[str, float]:
        """Return cores in use since the last look, bytes of memory, and what its GPUs do; nothing before it runs."""
        used, now = self._volume.usage(), time.monotonic()
        if used is None:
            return {}
        seconds, memory = used
        told: dict[str, float] = {"memory": memory}
        if self._before is not None:
            when, before = self._before
            told["cpu"] = round(max(0.0, seconds - before) / (now - when), 3)
        self._before = now, seconds
        return told | read_usage(self._volume.gpus())
