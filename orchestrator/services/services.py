"""All that can be done with services; the CLI and the SDK make the same calls."""

import shutil
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from orchestrator.config import machine_id
from orchestrator.engines import get_engine
from orchestrator.engines.environment import ensure_environment
from orchestrator.errors import ConflictError, NotFoundError, UsageError
from orchestrator.models.load import engine_for
from orchestrator.models.models import Models
from orchestrator.models.record import ModelVersion
from orchestrator.ports import HERE, free_ports
from orchestrator.progress import SILENT, Reporter
from orchestrator.services.ask import Answer, Request, ask, field_of, form_of
from orchestrator.services.local import end, put_in_force
from orchestrator.services.place import Place
from orchestrator.services.record import (
    WHOLE,
    ServiceRecord,
    Share,
    What,
    balanced,
    find_service,
    get_service,
    record_key,
    service_names,
)
from orchestrator.services.state import ServiceView, look
from orchestrator.serving.auth import token_hash
from orchestrator.serving.settings import Deployed, Settings
from orchestrator.specs.names import check_name, format_version
from orchestrator.store.base import AlreadyExistsError, Store
from orchestrator.store.records import change, claim

# A method is called `list`.
Views: TypeAlias = list[ServiceView]
Users: TypeAlias = dict[str, list[str]]


class Services:
    """The services of a store that run on this machine.

    Every method that names a service raises NotFoundError if there is none.

    Args:
        store: Where their records are.
        models: The models of that store.
        author: Who acts, as `user@host`.
        reporter: Told of long work.
    """

    def __init__(self, store: Store, models: Models, *, author: str, reporter: Reporter = SILENT) -> None:
        self._store = store
        self._models = models
        self._author = author
        self._reporter = reporter

    def deploy(
        self,
        version: ModelVersion,
        *,
        name: str | None = None,
        traffic: int = WHOLE,
        engine: str | None = None,
        port: int = 0,
    ) -> tuple[ServiceView, str]:
        """Have a service answer with a model version; it is made if there is none, and returns when it answers.

        Args:
            version: Of a model.
            name: Of the service; by default that of the model.
            traffic: Per cent of the requests; the versions of before share the rest.
            engine: What serves it, instead of what it was trained with.
            port: Where a new service listens for HTTP; 0 is any that is free, as it is for gRPC.

        Returns:
            The service, and its token if one was made.

        Raises:
            PreflightError: The package cannot be loaded, and what was in force before still is.
        """
        name = check_name(name or version.name, "service")
        share = Share(model=version.name, number=version.number, weight=WHOLE, engine=engine_for(version, engine).name)
        record = find_service(self._store, name)
        token = ""
        if record is None:
            place = Place(name)
            shutil.rmtree(place.folder, ignore_errors=True)  # of a service of that name that was deleted
            token = place.new_token()
            http_port, grpc_port = free_ports(2)
            record = self._claim(name, port or http_port, grpc_port)
        self._require_here(record)
        shares = balanced([] if record.stopped else record.shares, share, traffic)
        return self._put(record, shares, "deploy"), token

    def traffic(self, name: str, weights: dict[int, int]) -> ServiceView:
        """Share the requests among versions of the service's model, by their numbers.

        Raises:
            UsageError: The weights are not 100 together.
        """
        record = get_service(self._store, name)
        if sum(weights.values()) != WHOLE or min(weights.values(), default=-1) < 0:
            text = " + ".join(str(weight) for weight in weights.values())
            raise UsageError(f"the weights are {text}, and must be 100 together", hint="as in v2=90,v3=10")
        model = record.shares[0].model
        engines = {share.number: share.engine for share in record.shares}
        shares = []
        for number, weight in weights.items():
            engine = engines.get(number) or engine_for(self._models.get(model, f"v{number}")).name
            shares.append(Share(model=model, number=number, weight=weight, engine=engine))
        return self._put(record, shares, "traffic")

    def rollback(self, name: str) -> ServiceView:
        """Answer with what was in force before."""
        record = get_service(self._store, name)
        return self._put(record, record.before(), "rollback")

    def start(self, name: str) -> ServiceView:
        """Have a service run that was stopped, or whose machine was restarted."""
        record = get_service(self._store, name)
        return self._put(record, record.shares, "start")

    def stop(self, name: str) -> ServiceView:
        """End a service; requests under way are answered. One that does not run stays as it is."""
        record = get_service(self._store, name)
        self._require_here(record)
        end(Place(name))
        if not record.stopped:
            record = self._record(name, lambda old: old.changed("stop", self._author, old.shares))
        return look(record)

    def delete(self, name: str) -> None:
        """End a service and forget it; the models stay."""
        self.stop(name)
        gone = ServiceRecord(name=name, deleted=time.time())
        self._record(name, lambda _: gone)
        shutil.rmtree(Place(name).folder, ignore_errors=True)

    def list(self) -> Views:
        """Return all services, by name."""
        found = (find_service(self._store, name) for name in service_names(self._store))
        return [look(record) for record in found if record]

    def get(self, name: str) -> ServiceView:
        """Return a service and its state."""
        return look(get_service(self._store, name))

    def new_token(self, name: str) -> str:
        """Make a token, in the place of the one before, which opens no door any more."""
        record = get_service(self._store, name)
        self._require_here(record)
        token = Place(name).new_token()
        if not record.stopped:
            self._put(record, record.shares, "start")
        return token

    def predict(self, name: str, *, files: Sequence[Path] = (), json: bytes = b"", token: str = "") -> Answer:
        """Ask a service.

        Args:
            name: Of the service.
            files: What is sent, in a form whose field is the one of the model's config.json.
            json: What is sent instead.
            token: Instead of the one that this machine knows.

        Raises:
            ServiceError: It does not answer.
            NotFoundError: There is no such file.
        """
        request = Request(json, "application/json")
        if files:
            try:
                contents = {path.name: path.read_bytes() for path in files}
            except OSError as error:
                raise NotFoundError(f"cannot read {error.filename}: {error.strerror}", hint="check the path") from error
            request = form_of(field_of(self.config(name)), contents)
        return self.asker(name, token)(request)

    def asker(self, name: str, token: str = "") -> Callable[[Request], Answer]:
        """Return what sends a request to a service, as often as one likes; it raises ServiceError."""
        record = get_service(self._store, name)
        host = HERE if record.machine == machine_id() else record.host
        token = token or Place(name).token()
        return lambda request: ask(host, record.port, "/", body=request.body, kind=request.kind, token=token)

    def config(self, name: str) -> dict[str, Any]:
        """Return the config.json of the version that a service got last."""
        share = get_service(self._store, name).shares[-1]
        return self._models.get(share.model, f"v{share.number}").config

    def users(self, model: str) -> Users:
        """Return the services that answer with versions of a model, by version."""
        found: Users = {}
        for name in service_names(self._store):
            if record := find_service(self._store, name):
                for share in record.shares:
                    if share.model == model:
                        found.setdefault(format_version(share.number), []).append(name)
        return found

    def _put(self, record: ServiceRecord, shares: Sequence[Share], what: What) -> ServiceView:
        """Have the shares in force, and only then in the record."""
        self._require_here(record)
        place, wanted = Place(record.name), [*shares]
        before = place.settings()
        put_in_force(place, self._settings(record, place, wanted), before)
        if record.shares != wanted or record.stopped or what == "rollback":
            record = self._record(record.name, lambda old: old.changed(what, self._author, wanted))
        return look(record)

    def _settings(self, record: ServiceRecord, place: Place, shares: Sequence[Share]) -> Settings:
        deployed = []
        for share in shares:
            version = self._models.get(share.model, f"v{share.number}")
            folder = place.package(share.model, share.number)
            self._models.pull(share.model, f"v{share.number}", folder)
            engine = get_engine(share.engine)
            python = ensure_environment(engine, reporter=self._reporter)
            deployed.append(
                Deployed(
                    model=version.name,
                    number=version.number,
                    weight=share.weight,
                    folder=str(folder),
                    python=str(python),
                    environment=engine.env,
                )
            )
        tokens = (token_hash(place.token()),)
        return Settings(
            name=record.name,
            revision=time.time_ns(),
            models=tuple(deployed),
            tokens=tokens,
            host=HERE,
            port=record.port,
            grpc_port=record.grpc_port,
        )

    def _claim(self, name: str, port: int, grpc_port: int) -> ServiceRecord:
        record = ServiceRecord(
            name=name,
            machine=machine_id(),
            host=socket.gethostname(),
            port=port,
            grpc_port=grpc_port,
            created=time.time(),
        )
        try:
            claim(self._store, record_key(name), record)
        except AlreadyExistsError:  # it was deleted, or somebody makes it right now

            def edit(old: ServiceRecord) -> ServiceRecord:
                if not old.deleted:
                    raise ConflictError(
                        f"somebody else is making the service {name}", hint="run the same command again"
                    )
                return record

            return self._record(name, edit)
        return record

    def _record(self, name: str, edit: Callable[[ServiceRecord], ServiceRecord]) -> ServiceRecord:
        return change(self._store, record_key(name), ServiceRecord, edit)

    def _require_here(self, record: ServiceRecord) -> None:
        if record.machine != machine_id():
            raise ConflictError(f"service {record.name} runs on {record.host}", hint="run this command there")
