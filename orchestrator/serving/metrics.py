"""What is counted: for Prometheus, and for people who ask how a service is."""

import time
from collections.abc import Callable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 40.0)  # seconds
_LABELS = ("model", "version", "protocol")
MINUTE = 60  # seconds


class Calls:
    """How often a version was asked since the service began, and within the last minute.

    Args:
        clock: Tells seconds.

    Attributes:
        invocations: Requests for an answer, by whatever protocol.
        failures: Of these, those that failed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.invocations = 0
        self.failures = 0
        self._clock = clock
        self._seconds = [0] * MINUTE  # those of each second of the last minute
        self._at = int(clock())

    def begin(self) -> None:
        """Count a request."""
        self._turn()
        self.invocations += 1
        self._seconds[self._at % MINUTE] += 1

    @property
    def per_minute(self) -> int:
        """Requests within the last minute."""
        self._turn()
        return sum(self._seconds)

    def _turn(self) -> None:
        """Forget the seconds that are a minute ago."""
        now = int(self._clock())
        for second in range(max(self._at, now - MINUTE) + 1, now + 1):
            self._seconds[second % MINUTE] = 0
        self._at = now


class Counted(NamedTuple):
    """What is counted of one version and protocol."""

    requests: Counter
    failures: Counter
    seconds: Histogram


class Metrics:
    """The numbers of one service.

    Attributes:
        registry: All of them.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("mlctl_invocations", "Requests for an answer", _LABELS, registry=self.registry)
        self.failures = Counter("mlctl_failures", "Of these, those that failed", _LABELS, registry=self.registry)
        self.seconds = Histogram(
            "mlctl_latency_seconds", "Time until the answer", _LABELS, buckets=_BUCKETS, registry=self.registry
        )
        self._kept: dict[tuple[str, int, str], Counted] = {}
        self._calls: dict[tuple[str, int], Calls] = {}
        self.waiting = Gauge("mlctl_in_progress", "Requests that wait or are answered", registry=self.registry)

    def calls(self, model: str, number: int) -> Calls:
        """Return how often a version was asked."""
        if (model, number) not in self._calls:
            self._calls[model, number] = Calls()
        return self._calls[model, number]

    def of(self, model: str, number: int, protocol: str) -> Counted:
        """Return what is counted of one version and protocol; they are looked up once."""
        key = (model, number, protocol)
        if key not in self._kept:
            labels = (model, f"v{number}", protocol)
            self._kept[key] = Counted(
                self.requests.labels(*labels), self.failures.labels(*labels), self.seconds.labels(*labels)
            )
        return self._kept[key]
