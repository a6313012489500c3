"""All that can be done with services; the CLI and the SDK make the same calls."""

import secrets
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from orchestrator.engines import get_engine
from orchestrator.errors import ConflictError, MlctlError, NotFoundError, UsageError
from orchestrator.models.inputs import Picture, field_of, picture_of
from orchestrator.models.load import engine_for
from orchestrator.models.models import Models
from orchestrator.models.packages import check_packages
from orchestrator.models.record import ModelVersion
from orchestrator.progress import SILENT, Reporter
from orchestrator.services.ask import Answer, Request, contents_of, form_of
from orchestrator.services.picture import AS_IT_IS, Preparation, prepared
from orchestrator.services.record import (
    WHOLE,
    ServiceRecord,
    Share,
    What,
    balanced,
    claim_service,
    find_service,
    get_service,
    record_key,
    service_names,
)
from orchestrator.services.runner import Asker, Form, Runner
from orchestrator.services.shape import Shape
from orchestrator.services.state import ServiceView
from orchestrator.serving.auth import token_hash
from orchestrator.specs.names import check_name
from orchestrator.store.base import Store
from orchestrator.store.records import change

TOKEN_BYTES = 24

# A method is called `list`.
Views: TypeAlias = list[ServiceView]
Manifests: TypeAlias = list[dict[str, Any]]
NOTHING: Mapping[str, object] = {}
NO_VARIABLES: Mapping[str, str] = {}


class Services:
    """The services of a store.

    Every method that names a service raises NotFoundError if there is none, and ConflictError if it would change one
    that runs elsewhere.

    Args:
        store: Where their records are.
        models: The models of that store.
        runner: Where they run.
        author: Who acts, as `user@host`.
        reporter: Told of what is done beside what was asked for.
    """

    def __init__(
        self, store: Store, models: Models, runner: Runner, *, author: str, reporter: Reporter = SILENT
    ) -> None:
        self._store = store
        self._models = models
        self._runner = runner
        self._author = author
        self._reporter = reporter

    def deploy(
        self,
        version: ModelVersion,
        *,
        name: str | None = None,
        traffic: int | None = WHOLE,
        engine: str | None = None,
        port: int = 0,
        shape: Mapping[str, object] = NOTHING,
        environment: Mapping[str, str] = NO_VARIABLES,
    ) -> tuple[ServiceView, str]:
        """Have a service answer with a model version; it is made if there is none, and returns when it answers.

        Args:
            version: Of a model.
            name: Of the service; by default that of the model.
            traffic: Per cent of the requests, of which the versions of before share the rest; None makes it a shadow.
            engine: What serves it, instead of what it was trained with.
            port: Where a new service listens for HTTP on this machine; 0 is any that is free, as it is for gRPC.
            shape: Fields of `Shape` for a cluster; what is left out, or None, stays as it was.
            environment: Variables for the version's own code.

        Returns:
            The service, and its token if one was made.

        Raises:
            RequirementsError: A package that the version asks for cannot be had, or contradicts the engine.
            PreflightError: The package cannot be loaded, and what was in force before still is.
        """
        wanted, record, token = self._wanted(version, name, traffic, engine, port, shape, environment)
        if record is None:
            record = msgspec.structs.replace(wanted, shares=[])
            claim_service(self._store, record)
        if token:
            self._runner.save_token(wanted.name, token)
        try:
            return self._put(record, wanted, "deploy"), token
        except BaseException:  # Ctrl-C as well
            if token:
                self._forget(wanted.name)
            raise

    def manifests(
        self,
        version: ModelVersion,
        *,
        name: str | None = None,
        traffic: int | None = WHOLE,
        engine: str | None = None,
        shape: Mapping[str, object] = NOTHING,
        environment: Mapping[str, str] = NO_VARIABLES,
        form: Form = "objects",
    ) -> Manifests:
        """Return the objects that `deploy` would make in a cluster, or those for KServe; nothing is changed.

        Raises:
            UsageError: There is no cluster.
        """
        wanted, _, token = self._wanted(version, name, traffic, engine, 0, shape, environment)
        return self._runner.manifests(wanted, token or self._runner.token(wanted.name), form)

    def scale(self, name: str, replicas: int) -> ServiceView:
        """Have a service on a cluster run in so many pods.

        Raises:
            UsageError: It runs on this machine, or there cannot be so many.
        """
        record = get_service(self._store, name)
        self._require_here(record)
        return self._put(record, self._runner.reshaped(record, {"replicas": replicas}), "scale")

    def traffic(self, name: str, weights: dict[int, int]) -> ServiceView:
        """Share the requests among versions of the service's model, by their numbers.

        Raises:
            UsageError: The weights are not 100 together.
        """
        record = self._answering(name)
        if sum(weights.values()) != WHOLE or min(weights.values(), default=-1) < 0:
            text = " + ".join(str(weight) for weight in weights.values())
            raise UsageError(f"the weights are {text}, and must be 100 together", hint="as in v2=90,v3=10")
        model = record.shares[0].model
        known = {share.number: msgspec.structs.replace(share, shadow=False) for share in record.shares}
        shares = []
        for number, weight in weights.items():
            share = known.get(number) or self._share(self._models.get(model, f"v{number}"))
            shares.append(msgspec.structs.replace(share, weight=weight))
        return self._put(record, msgspec.structs.replace(record, shares=shares), "traffic")

    def rollback(self, name: str) -> ServiceView:
        """Answer with what was in force before."""
        record = get_service(self._store, name)
        return self._put(record, msgspec.structs.replace(record, shares=record.before()), "rollback")

    def start(self, name: str) -> ServiceView:
        """Have a service run that was stopped, or whose machine was restarted."""
        record = self._answering(name)
        return self._put(record, record, "start")

    def stop(self, name: str) -> ServiceView:
        """End a service; requests under way are answered. One that does not run stays as it is."""
        record = get_service(self._store, name)
        self._require_here(record)
        self._runner.end(record)
        if not record.stopped:
            record = self._record(name, lambda old: old.changed("stop", self._author, old))
        return self._runner.look(record)

    def delete(self, name: str) -> None:
        """End a service and forget it; the models stay."""
        record = self.stop(name).record
        self._runner.forget(record)
        self._forget(name)

    def list(self) -> Views:
        """Return all services, by name."""
        found = (find_service(self._store, name) for name in service_names(self._store))
        return [self._runner.look(record) for record in found if record]

    def get(self, name: str) -> ServiceView:
        """Return a service and its state."""
        return self._runner.look(get_service(self._store, name))

    def new_token(self, name: str) -> str:
        """Make a token, in the place of the one before, which opens no door any more."""
        record = get_service(self._store, name)
        self._require_here(record)
        token, known = secrets.token_urlsafe(TOKEN_BYTES), self._runner.token(name)
        wanted = msgspec.structs.replace(record, token=token_hash(token))
        self._runner.save_token(name, token)
        try:
            if record.stopped:
                self._record(name, lambda old: old.changed("token", self._author, wanted))
            else:
                self._put(record, wanted, "token")
        except MlctlError:
            self._runner.save_token(name, known)
            raise
        return token

    def logs(self, name: str, *, models: bool = False, follow: bool = False) -> Generator[bytes]:
        """Yield what a service says, a line for each request; or what the models' own code says.

        Args:
            name: Of the service.
            models: The latter.
            follow: Go on for ever; nothing new is an empty block.

        Raises:
            NotFoundError: There is nothing to read here.
        """
        return self._runner.logs(get_service(self._store, name), models=models, follow=follow)

    def predict(
        self,
        name: str,
        *,
        files: Sequence[Path] = (),
        json: bytes = b"",
        prepare: Preparation = AS_IT_IS,
        as_is: bool = False,
        token: str = "",
    ) -> Answer:
        """Ask a service; pictures are sent as the model's config.json says that it takes them, and what is done told.

        Args:
            name: Of the service.
            files: What is sent, in a form whose field is the one of the model's config.json.
            json: What is sent instead.
            prepare: What is done to a picture in any case.
            as_is: Whether that is all, whatever config.json says.
            token: Instead of the one that this machine knows.

        Raises:
            ServiceError: It does not answer.
            NotFoundError: There is no such file.
            UsageError: It is no picture, and something is to be done to it.
        """
        request = Request(json, "application/json")
        if files:
            config = self.newest(name).config
            taken, contents = Picture() if as_is else picture_of(config), contents_of(files)
            for file, content in contents.items():
                made = prepared(content, file, taken, prepare)
                contents[file] = made.data
                if made.done:
                    self._reporter.note(f"{file} is sent {made.done}")
            request = form_of(field_of(config), contents)
        return self.asker(name, token)(request)

    def asker(self, name: str, token: str = "") -> Asker:
        """Return what sends a request to a service, as often as one likes; it raises ServiceError."""
        return self._runner.asker(get_service(self._store, name), token or self._runner.token(name))

    def newest(self, name: str) -> ModelVersion:
        """Return the version that a service got last."""
        share = self._answering(name).shares[-1]
        return self._models.get(share.model, f"v{share.number}")

    def _wanted(
        self,
        version: ModelVersion,
        name: str | None,
        traffic: int | None,
        engine: str | None,
        port: int,
        shape: Mapping[str, object],
        environment: Mapping[str, str],
    ) -> tuple[ServiceRecord, ServiceRecord | None, str]:
        """Return a service as `deploy` is to make it, as it is, and the token of a new one."""
        name = check_name(name or version.name, "service")
        share = self._share(version, engine, environment)
        record, token = find_service(self._store, name), ""
        if record is None:
            wanted = self._runner.new(name, port, dict(shape))
        else:
            self._require_here(record)
            wanted = self._runner.reshaped(record, dict(shape))
        if not wanted.shares:  # also where a first deploy was killed
            token = secrets.token_urlsafe(TOKEN_BYTES)
            wanted = msgspec.structs.replace(wanted, token=token_hash(token))
        if wanted.shape.server == "tfserving" and version.type != "TensorFlow":
            message = f"{version.ref} is of type {version.type}, and TensorFlow Serving has SavedModels only"
            raise UsageError(message, hint="--server engine")
        check_packages(version, None if _is_open(wanted.shape, share) else get_engine(share.engine))
        shares = balanced([] if wanted.stopped else wanted.shares, share, traffic)
        return msgspec.structs.replace(wanted, shares=shares), record, token

    def _share(
        self, version: ModelVersion, engine: str | None = None, environment: Mapping[str, str] = NO_VARIABLES
    ) -> Share:
        name = engine_for(version, engine).name
        return Share(model=version.name, number=version.number, weight=WHOLE, engine=name, environment={**environment})

    def _put(self, record: ServiceRecord, wanted: ServiceRecord, what: What) -> ServiceView:
        """Have a service as it is wanted in force, and only then in the record."""
        self._require_here(record)
        for share in wanted.shares:
            self._models.get(share.model, f"v{share.number}")  # it may have been deleted since it was in force
        self._runner.put(wanted, record)
        if record != wanted or record.stopped or what == "rollback":
            record = self._record(record.name, lambda old: old.changed(what, self._author, wanted))
        return self._runner.look(record)

    def _answering(self, name: str) -> ServiceRecord:
        """Return a service. Raises NotFoundError if its first `deploy` has not come to its end."""
        record = get_service(self._store, name)
        if record.shares:
            return record
        raise NotFoundError(f"service {name} has no version yet", hint=f"mlctl deploy MODEL --name {name}")

    def _forget(self, name: str) -> None:
        gone = ServiceRecord(name=name, deleted=time.time())
        self._record(name, lambda _: gone)

    def _record(self, name: str, edit: Callable[[ServiceRecord], ServiceRecord]) -> ServiceRecord:
        return change(self._store, record_key(name), ServiceRecord, edit)

    def _require_here(self, record: ServiceRecord) -> None:
        if record.machine != self._runner.machine:
            hint = "run this command there, or with the context of that cluster"
            raise ConflictError(f"service {record.name} runs on {record.host}", hint=hint)


def _is_open(shape: Shape, share: Share) -> bool:
    """Return whether it is not known which packages the model's own code finds: those of another image."""
    return shape.server == "tfserving" or bool(shape.gpus and get_engine(share.engine).images.gpu)
