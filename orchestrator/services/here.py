"""Services on this machine."""

import hashlib
import os
import shutil
import socket
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from orchestrator.config import home_dir, machine_id
from orchestrator.engines import get_engine
from orchestrator.engines.environment import ensure_environment
from orchestrator.errors import NotFoundError, UsageError
from orchestrator.locks import take
from orchestrator.models.models import Models
from orchestrator.ports import HERE, free_ports
from orchestrator.progress import Reporter
from orchestrator.services.ask import ServiceError, ask
from orchestrator.services.local import end, put_in_force
from orchestrator.services.place import Place
from orchestrator.services.record import ServiceRecord, Share
from orchestrator.services.runner import Asker, Form
from orchestrator.services.state import ServiceState, ServiceView, elsewhere, of_answer
from orchestrator.serving.settings import Deployed, Settings
from orchestrator.specs.names import check_name
from orchestrator.store.parallel import as_mlctl_error

LOOK = 5.0  # seconds that a service may take to tell how it is
POLL = 0.2  # seconds between two looks at a log
BLOCK = 1 << 16  # bytes
_HINT = "add a context with a cluster: mlctl context add NAME --backend kubernetes"


class Here:
    """Runs services as processes of this machine.

    Args:
        models: Of the store.
        store: Its URL.
        reporter: Told of long work.
    """

    def __init__(self, models: Models, store: str, reporter: Reporter) -> None:
        self._models = models
        self._store = store.rstrip("/")
        self._reporter = reporter

    @property
    def machine(self) -> str:
        return machine_id()

    @contextmanager
    def changing(self, name: str) -> Iterator[None]:
        path = home_dir() / "locks" / f"service-{self._place(check_name(name, 'service')).name}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if (lock := take(path)) is None:
                self._reporter.note(f"waiting until another change of service {name} has ended")
                while (lock := take(path)) is None:
                    time.sleep(POLL)
        except OSError as error:
            raise as_mlctl_error(error, f"cannot write {path}") from error
        try:
            yield
        finally:
            os.close(lock)

    def new(self, name: str, port: int, shape: dict[str, object]) -> ServiceRecord:
        _require_plain(shape)
        shutil.rmtree(self._place(name).folder, ignore_errors=True)
        http, grpc = free_ports(2)
        return ServiceRecord(
            name=name,
            machine=self.machine,
            host=socket.gethostname(),
            port=port or http,
            grpc_port=grpc,
            created=time.time(),
        )

    def reshaped(self, record: ServiceRecord, shape: dict[str, object]) -> ServiceRecord:
        _require_plain(shape)
        return record

    def put(self, record: ServiceRecord, before: ServiceRecord) -> None:
        place = self._place(record.name)
        told = place.settings()
        put_in_force(place, self._settings(record, place, record.shares), told)

    def end(self, record: ServiceRecord) -> None:
        end(self._place(record.name))

    def forget(self, record: ServiceRecord) -> None:
        shutil.rmtree(self._place(record.name).folder, ignore_errors=True)

    def look(self, record: ServiceRecord) -> ServiceView:
        if record.machine != self.machine:
            return elsewhere(record)
        place = self._place(record.name)
        kept = place.kept()
        restarts = kept.restarts if kept else 0
        if not place.is_kept:
            if record.stopped:
                return ServiceView(record, ServiceState.STOPPED)
            problem = "nobody keeps it: this machine was restarted, or its keeper was killed"
            return ServiceView(record, ServiceState.FAILED, f"{problem}; mlctl service start {record.name}", restarts)
        try:
            answer = ask(HERE, record.port, "/service", token=place.token(), method="GET", timeout=LOOK)
            told: dict[str, Any] = answer.document
        except ServiceError as error:
            if isinstance(error.__cause__, TimeoutError):
                problem = "; ".join(filter(None, (error.message, kept.problem if kept else "")))
                return ServiceView(record, ServiceState.FAILED, problem, restarts)
            return ServiceView(record, ServiceState.STARTING, kept.problem if kept else "", restarts)
        view = of_answer(record, told, restarts)
        if "models" in told and not view.problem and (other := _otherwise(record, told)):
            return msgspec.structs.replace(view, problem=other)
        return view

    def asker(self, record: ServiceRecord, token: str) -> Asker:
        host = HERE if record.machine == self.machine else record.host
        return lambda request: ask(host, record.port, "/", body=request.body, kind=request.kind, token=token)

    def token(self, name: str) -> str:
        return self._place(name).token()

    def save_token(self, name: str, token: str) -> None:
        self._place(name).save_token(token)

    def logs(self, record: ServiceRecord, *, models: bool, follow: bool) -> Generator[bytes]:
        place = self._place(record.name)
        path = place.models_log if models else place.log
        try:
            file = path.open("rb")
        except OSError as error:
            hint = "it is on the machine that runs the service"
            raise NotFoundError(f"cannot read {path}: {error.strerror}", hint=hint) from error
        with file:
            while True:
                while block := file.read(BLOCK):
                    yield block
                if not follow:
                    return
                yield b""
                time.sleep(POLL)

    def manifests(self, record: ServiceRecord, token: str, form: Form) -> list[dict[str, Any]]:
        raise UsageError("a service on this machine has no objects to show", hint=_HINT)

    def _place(self, name: str) -> Place:
        """Return the folder of a service; those of other stores than this machine's own may have the same names."""
        if self._store == (home_dir() / "store").as_uri():
            return Place(name)
        return Place(f"{name}@{hashlib.sha256(self._store.encode()).hexdigest()[:8]}")

    def _settings(self, record: ServiceRecord, place: Place, shares: Sequence[Share]) -> Settings:
        deployed = []
        for share in shares:
            folder = place.package(share.model, share.number)
            version = self._models.pull(share.model, f"v{share.number}", folder)
            engine = get_engine(share.engine)
            python = ensure_environment(engine, reporter=self._reporter)
            packages = self._models.packages(version, folder, engine)
            deployed.append(
                Deployed(
                    model=share.model,
                    number=share.number,
                    weight=share.weight,
                    shadow=share.shadow,
                    folder=str(folder),
                    python=str(python),
                    packages=str(packages or ""),
                    environment={**engine.env, **share.environment},
                )
            )
        return Settings(
            name=record.name,
            revision=time.time_ns(),
            models=tuple(deployed),
            tokens=record.tokens,
            host=HERE,
            port=record.port,
            grpc_port=record.grpc_port,
        )


def _otherwise(record: ServiceRecord, told: dict[str, Any]) -> str:
    """Say that a service answers otherwise than its record says: what changed it was killed before it wrote that."""
    wanted = {(share.model, share.number, share.weight) for share in record.shares}
    if {(one["model"], one["number"], one["weight"]) for one in told["models"]} == wanted:
        return ""
    now = ", ".join(f"{one['model']}/v{one['number']} {one['weight']}%" for one in told["models"])
    return f"it answers with {now}; to have it answer as it should: mlctl service start {record.name}"


def _require_plain(shape: dict[str, object]) -> None:
    """Refuse what only a cluster can do."""
    if given := [field for field, value in shape.items() if value is not None]:
        options = ", ".join(f"--{field.replace('_', '-')}" for field in given)
        raise UsageError(f"{options}: this context runs services on this machine, not on a cluster", hint=_HINT)
