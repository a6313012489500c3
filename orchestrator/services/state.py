"""How a service is: asked from it, not remembered."""

import time
from enum import StrEnum
from typing import Any

import msgspec

from orchestrator.ports import HERE
from orchestrator.services.record import ServiceRecord


class ServiceState(StrEnum):
    """What a service does."""

    RUNNING = "RUNNING"
    STARTING = "STARTING"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    ELSEWHERE = "ELSEWHERE"


class Calls(msgspec.Struct, frozen=True):
    """How often a version was asked since the service's process began.

    Attributes:
        model: Name of the model.
        number: Of the version.
        invocations: Requests for an answer; copies of them, if it is a shadow.
        failures: Of these, those that failed.
        per_minute: Requests within the last minute.
    """

    model: str
    number: int
    invocations: int
    failures: int
    per_minute: int


class ServiceView(msgspec.Struct, frozen=True):
    """A service as it is now.

    Attributes:
        record: What it should be.
        state: What it is.
        problem: Why it is not what it should be; empty if it is.
        restarts: How often it had to be started again.
        unused: Seconds since it was last asked, or since its process began; 0 where that is not known.
        replicas: Pods of a cluster that answer now.
        calls: How often each version was asked; nothing where several pods each know their own.
    """

    record: ServiceRecord
    state: ServiceState
    problem: str = ""
    restarts: int = 0
    unused: float = 0.0
    replicas: int = 0
    calls: tuple[Calls, ...] = ()

    @property
    def url(self) -> str:
        """Where it is asked."""
        if self.record.backend == "kubernetes":
            return f"http://{self.record.shape.ingress or self._host}"
        return f"http://{self._host}:{self.record.port}"

    @property
    def grpc(self) -> str:
        """Where it is asked over gRPC; empty if it is not."""
        return f"{self._host}:{self.record.grpc_port}" if self.record.grpc_port else ""

    @property
    def _host(self) -> str:
        record = self.record
        if record.backend == "kubernetes":
            return f"{record.name}.{record.machine.partition('@')[0]}.svc"
        return record.host if self.state is ServiceState.ELSEWHERE else HERE


def elsewhere(record: ServiceRecord) -> ServiceView:
    """Return a service that cannot be asked from here."""
    return ServiceView(record, ServiceState.ELSEWHERE, f"it is on {record.host}, and was not asked")


def of_answer(record: ServiceRecord, told: dict[str, Any], restarts: int) -> ServiceView:
    """Return a service as it says that it is."""
    problems = [f"{one['model']}/v{one['number']} {one['problem']}" for one in told.get("models", []) if one["problem"]]
    ready = all(one["ready"] for one in told.get("models", []))
    state = ServiceState.RUNNING if ready else ServiceState.FAILED
    unused = max(0.0, time.time() - told["used"]) if "used" in told else 0.0
    calls = tuple(
        Calls(one["model"], one["number"], **one["calls"]) for one in told.get("models", []) if "calls" in one
    )
    return ServiceView(record, state, "; ".join(problems), restarts, unused, calls=calls)
