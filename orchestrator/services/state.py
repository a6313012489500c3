"""How a service is: asked from it, not remembered."""

from enum import StrEnum
from typing import Any

import msgspec

from orchestrator.config import machine_id
from orchestrator.ports import HERE
from orchestrator.services.ask import ServiceError, ask
from orchestrator.services.place import Place
from orchestrator.services.record import ServiceRecord


class ServiceState(StrEnum):
    """What a service does."""

    RUNNING = "RUNNING"
    STARTING = "STARTING"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    ELSEWHERE = "ELSEWHERE"


class ServiceView(msgspec.Struct, frozen=True):
    """A service as it is now.

    Attributes:
        record: What it should be.
        state: What it is.
        problem: Why it is not what it should be; empty if it is.
        restarts: How often it had to be started again.
    """

    record: ServiceRecord
    state: ServiceState
    problem: str = ""
    restarts: int = 0

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://{self._host}:{self.record.port}"

    @property
    def grpc(self) -> str:
        """Where it is asked over gRPC; empty if it is not."""
        return f"{self._host}:{self.record.grpc_port}" if self.record.grpc_port else ""

    @property
    def _host(self) -> str:
        return self.record.host if self.state is ServiceState.ELSEWHERE else HERE


def look(record: ServiceRecord) -> ServiceView:
    """Return a service as it is now."""
    if record.machine != machine_id():
        return ServiceView(record, ServiceState.ELSEWHERE, f"it is on {record.host}, and was not asked")
    place = Place(record.name)
    kept = place.kept()
    restarts = kept.restarts if kept else 0
    if not place.is_kept:
        if record.stopped:
            return ServiceView(record, ServiceState.STOPPED)
        problem = "nobody keeps it: this machine was restarted, or its keeper was killed"
        return ServiceView(record, ServiceState.FAILED, f"{problem}; mlctl service start {record.name}", restarts)
    try:
        told: dict[str, Any] = ask(HERE, record.port, "/service", token=place.token(), method="GET").document
    except ServiceError:
        return ServiceView(record, ServiceState.STARTING, kept.problem if kept else "", restarts)
    problems = [f"{one['model']}/v{one['number']} {one['problem']}" for one in told.get("models", []) if one["problem"]]
    ready = all(one["ready"] for one in told.get("models", []))
    return ServiceView(record, ServiceState.RUNNING if ready else ServiceState.FAILED, "; ".join(problems), restarts)
