"""What is counted, for Prometheus."""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 40.0)  # seconds
_LABELS = ("model", "version", "protocol")


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
        self.waiting = Gauge("mlctl_in_progress", "Requests that wait or are answered", registry=self.registry)

    def of(self, model: str, number: int, protocol: str) -> Counted:
        """Return what is counted of one version and protocol; they are looked up once."""
        key = (model, number, protocol)
        if key not in self._kept:
            labels = (model, f"v{number}", protocol)
            self._kept[key] = Counted(
                self.requests.labels(*labels), self.failures.labels(*labels), self.seconds.labels(*labels)
            )
        return self._kept[key]
