"""All that can be done with services; the CLI and the SDK make the same calls."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, Unpack

import msgspec

from orchestrator.errors import NotFoundError, UsageError
from orchestrator.models.models import Models
from orchestrator.models.record import ModelVersion
from orchestrator.progress import SILENT, Reporter
from orchestrator.services.ask import Answer, Request, value_of
from orchestrator.services.form import Forms, contents_of
from orchestrator.services.picture import AS_IT_IS, Preparation
from orchestrator.services.record import (
    WHOLE,
    ServiceRecord,
    What,
    claim_service,
    find_service,
    get_service,
    record_key,
    service_names,
)
from orchestrator.services.rows import MappingError, Rule, check_rule, row_request, rows_of, rule_of
from orchestrator.services.runner import Asker, Form, Runner
from orchestrator.services.state import ServiceView
from orchestrator.services.wanted import Options, new_token, require_here, shares_of, wanted_service
from orchestrator.serving.auth import token_hash
from orchestrator.store.base import Store
from orchestrator.store.records import change

# A method is called `list`.
Views: TypeAlias = list[ServiceView]
Manifests: TypeAlias = list[dict[str, Any]]


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

    def deploy(self, version: ModelVersion, **options: Unpack[Options]) -> tuple[ServiceView, str]:
        """Have a service answer with a model version; it is made if there is none, and returns when it answers.

        Args:
            version: Of a model.
            options: How.

        Returns:
            The service, and its token if one was made.

        Raises:
            RequirementsError: A package that the version asks for cannot be had, or contradicts the engine.
            PreflightError: The package cannot be loaded, and what was in force before still is.
        """
        with self._runner.changing(options.get("name") or version.name):
            return self._deploy(version, options)

    def manifests(self, version: ModelVersion, *, form: Form = "objects", **options: Unpack[Options]) -> Manifests:
        """Return the objects that `deploy` would make in a cluster, or those for KServe; nothing is changed.

        Raises:
            UsageError: There is no cluster.
        """
        wanted, _, token = wanted_service(self._store, self._runner, version, options)
        return self._runner.manifests(wanted, token or self._runner.token(wanted.name), form)

    def scale(self, name: str, replicas: int) -> ServiceView:
        """Have a service on a cluster run in so many pods.

        Raises:
            UsageError: It runs on this machine, or there cannot be so many.
        """
        with self._runner.changing(name):
            record = get_service(self._store, name)
            require_here(record, self._runner)
            if record.backend == "local":
                raise UsageError(f"service {name} runs on this machine", hint="only on a cluster it has replicas")
            return self._put(record, self._runner.reshaped(record, {"replicas": replicas}), "scale")

    def traffic(self, name: str, weights: Mapping[str, int]) -> ServiceView:
        """Share the requests among versions.

        Args:
            name: Of the service.
            weights: Per cent, by versions as in `v3` or `digits/v3`, or aliases; without its name, of the first model
                that the service has.

        Raises:
            UsageError: The weights are not 100 together, or it is not clear what they are of.
        """
        if sum(weights.values()) != WHOLE or min(weights.values(), default=-1) < 0:
            text = " + ".join(str(weight) for weight in weights.values())
            raise UsageError(f"the weights are {text}, and must be 100 together", hint="as in v2=90,v3=10")
        with self._runner.changing(name):
            record = self._answering(name)
            shares = shares_of(record, weights, self._models)
            return self._put(record, msgspec.structs.replace(record, shares=shares), "traffic")

    def rollback(self, name: str) -> ServiceView:
        """Answer with what was in force before."""
        with self._runner.changing(name):
            record = get_service(self._store, name)
            return self._put(record, msgspec.structs.replace(record, shares=record.before()), "rollback")

    def start(self, name: str) -> ServiceView:
        """Have a service run that was stopped, or whose machine was restarted."""
        with self._runner.changing(name):
            record = self._answering(name)
            return self._put(record, record, "start")

    def stop(self, name: str) -> ServiceView:
        """End a service; requests under way are answered. One that does not run stays as it is."""
        with self._runner.changing(name):
            return self._stop(name)

    def delete(self, name: str) -> None:
        """End a service and forget it; the models stay."""
        with self._runner.changing(name):
            self._forget(self._stop(name).record)

    def list(self) -> Views:
        """Return all services, by name."""
        found = (find_service(self._store, name) for name in service_names(self._store))
        return [self._runner.look(record) for record in found if record]

    def get(self, name: str) -> ServiceView:
        """Return a service and its state."""
        return self._runner.look(get_service(self._store, name))

    def new_token(self, name: str) -> str:
        """Make a token, in the place of the one before, which opens no door any more."""
        with self._runner.changing(name):
            record = get_service(self._store, name)
            require_here(record, self._runner)
            token, known = new_token(), self._runner.token(name)
            wanted = msgspec.structs.replace(record, token=token_hash(token))
            self._runner.save_token(name, token)
            try:
                if record.stopped:
                    self._record(name, lambda old: old.changed("token", self._author, wanted))
                else:
                    self._put(record, wanted, "token")
            except BaseException:  # Ctrl-C as well
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
            forms = Forms(self.newest(name).config, prepare, as_is=as_is)
            request, done = forms.make(contents_of(files))
            for file, words in done.items():
                self._reporter.note(f"{file} is sent {words}")
        return self.asker(name, token)(request)

    def predict_rows(self, name: str, table: Path, *, rule: Rule | None = None, token: str = "") -> Iterator[Any]:
        """Ask a service about the rows of a CSV file, one after the other, and yield what each answer holds.

        Args:
            name: Of the service.
            table: The file.
            rule: Which column is which input; by default as the model's config.json says.
            token: Instead of the one that this machine knows.

        Raises:
            ServiceError: It does not answer.
            NotFoundError: There is no such file.
            UsageError: It is no table, nothing says which column is which input, or a row does not fit.
            MlctlError: An answer is an error; as those before, it names the row.
        """
        [data] = contents_of([table]).values()
        rule = rule_of(self.newest(name).config) if rule is None else rule
        check_rule(rule)
        send = self.asker(name, token)
        for number, row in enumerate(rows_of(data), start=1):
            of = f"row {number}: "
            try:
                request = row_request(rule, row)
            except MappingError as error:
                raise UsageError(of + error.message, hint=error.hint) from error
            yield value_of(send(request), name, of=of)

    def asker(self, name: str, token: str = "") -> Asker:
        """Return what sends a request to a service, as often as one likes; it raises ServiceError."""
        return self._runner.asker(get_service(self._store, name), token or self._runner.token(name))

    def newest(self, name: str) -> ModelVersion:
        """Return the version that a service got last, of those that answer."""
        share = [share for share in self._answering(name).shares if share.weight][-1]
        return self._models.get(share.model, f"v{share.number}")

    def _deploy(self, version: ModelVersion, options: Options) -> tuple[ServiceView, str]:
        wanted, record, token = wanted_service(self._store, self._runner, version, options)
        if record is None:
            record = msgspec.structs.replace(wanted, shares=[])
            claim_service(self._store, record)
        is_new = not record.shares
        if is_new:
            self._runner.save_token(wanted.name, token)
        try:
            return self._put(record, wanted, "deploy"), token
        except BaseException:  # Ctrl-C as well
            if is_new:
                self._forget(record)
            raise

    def _stop(self, name: str) -> ServiceView:
        record = get_service(self._store, name)
        require_here(record, self._runner)
        self._runner.end(record)
        if not record.stopped:
            record = self._record(name, lambda old: old.changed("stop", self._author, old))
        return self._runner.look(record)

    def _put(self, record: ServiceRecord, wanted: ServiceRecord, what: What) -> ServiceView:
        """Have a service as it is wanted in force, and only then in the record."""
        require_here(record, self._runner)
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

    def _forget(self, record: ServiceRecord) -> None:
        self._runner.forget(record)
        self._record(record.name, lambda old: ServiceRecord(name=old.name, deleted=time.time(), spans=old.spans))

    def _record(self, name: str, edit: Callable[[ServiceRecord], ServiceRecord]) -> ServiceRecord:
        return change(self._store, record_key(name), ServiceRecord, edit)
