"""The record of a service, `services/<name>/service.json`: what is deployed, where, and all that was before."""

import time
from collections.abc import Iterator
from typing import Literal

import msgspec

from orchestrator.config import BackendName
from orchestrator.errors import ConflictError, NotFoundError, UsageError
from orchestrator.jobs.spending import Use
from orchestrator.services.shape import Shape
from orchestrator.services.spending import price_of, spans_after
from orchestrator.specs.names import format_version, nearest
from orchestrator.specs.prices import Span
from orchestrator.store.base import AlreadyExistsError, Store, list_folders
from orchestrator.store.records import change, claim, find

ROOT = "services/"
RECORD = "service.json"
WHOLE = 100  # the sum of all shares

What = Literal["deploy", "traffic", "rollback", "scale", "token", "stop", "start"]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A version and its share of the requests.

    Attributes:
        model: Name of the model.
        number: Of the version.
        weight: Per cent.
        engine: What serves it.
        shadow: It gets a copy of every request, and its answers are thrown away.
        environment: Variables for its own code, over those of the engine.
    """

    model: str
    number: int
    weight: int
    engine: str
    shadow: bool = False
    environment: dict[str, str] = {}

    @property
    def text(self) -> str:
        """As in `digits/v3 90%`."""
        return f"{self.model}/v{self.number} {'shadow' if self.shadow else f'{self.weight}%'}"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a service.

    Attributes:
        time: Seconds since the epoch.
        author: `user@host`.
        what: What was done.
        shares: What was in force from then on.
    """

    time: float
    author: str
    what: What
    shares: list[Share]


class ServiceRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A service.

    Attributes:
        name: Of the service.
        backend: What runs it.
        machine: Id of the home that it runs in; on a cluster namespace and address, as in `ml@10.0.0.1:6443`.
        host: Name of that machine or cluster, for people.
        port: Where it listens for HTTP.
        grpc_port: Where it listens for gRPC; 0 is nowhere.
        token: Hash of the token that lets in; empty if everybody is let in.
        shape: How large it is, on a cluster.
        shares: What it answers with.
        stopped: Whether it is not to run.
        created: Seconds since the epoch.
        history: All changes, the oldest first.
        spans: When it ran at what price, as far as that is known; they stay when it is deleted, and made again.
        deleted: Seconds since the epoch when it was deleted, or 0.
    """

    name: str
    backend: BackendName = "local"
    machine: str = ""
    host: str = ""
    port: int = 0
    grpc_port: int = 0
    token: str = ""
    shape: Shape = Shape()
    shares: list[Share] = []
    stopped: bool = False
    created: float = 0.0
    history: list[Change] = []
    spans: list[Span] = []
    deleted: float = 0.0

    @property
    def tokens(self) -> tuple[str, ...]:
        """Hashes of the tokens that let in; without any everybody is."""
        return (self.token,) if self.token else ()

    def changed(self, what: What, author: str, now: "ServiceRecord") -> "ServiceRecord":
        """Return the record after a change, with what is in force now."""
        entry = Change(time=time.time(), author=author, what=what, shares=now.shares)
        stopped = what == "stop" or (what == "token" and self.stopped)
        engines = 1 if now.shape.server == "tfserving" else len({share.engine for share in now.shares})
        price = None if stopped else price_of(now.shape, self.backend, engines=engines)
        return msgspec.structs.replace(
            self,
            shares=now.shares,
            shape=now.shape,
            token=now.token,
            stopped=stopped,
            history=[*self.history, entry],
            spans=spans_after(self.spans, price),
        )

    def before(self) -> list[Share]:
        """Return the shares that were in force before those of now.

        Raises:
            NotFoundError: There were no others.
        """
        for entry in reversed(self.history):
            if entry.what != "stop" and entry.shares != self.shares:
                return entry.shares
        hint = f"mlctl service get {self.name} has the history"
        raise NotFoundError(f"service {self.name} never answered with anything else", hint=hint)


def record_key(name: str) -> str:
    """Return the key of a service's record."""
    return f"{ROOT}{name}/{RECORD}"


def service_names(store: Store) -> list[str]:
    """Return the names of all services that there are or were."""
    return sorted(list_folders(store, ROOT))


def find_service(store: Store, name: str) -> ServiceRecord | None:
    """Return a service, or None if there is none, or it was deleted."""
    record = find(store, record_key(name), ServiceRecord)
    return None if record is None or record.deleted else record


def get_service(store: Store, name: str) -> ServiceRecord:
    """Return a service. Raises NotFoundError, which names the nearest."""
    if record := find_service(store, name):
        return record
    known = [one for one in service_names(store) if find_service(store, one)]
    near = nearest(name, known)
    hint = f"did you mean {near}?" if near else "mlctl service list; make one: mlctl deploy"
    raise NotFoundError(f"there is no service {name} in {store.url}", hint=hint)


def claim_service(store: Store, record: ServiceRecord) -> None:
    """Write the record of a new service.

    Raises:
        ConflictError: There is one of its name, or somebody makes it right now.
    """
    try:
        claim(store, record_key(record.name), record)
    except AlreadyExistsError:  # perhaps it was deleted

        def edit(old: ServiceRecord) -> ServiceRecord:
            if not old.deleted:
                message = f"somebody else is making the service {record.name}"
                raise ConflictError(message, hint="run the same command again")
            return msgspec.structs.replace(record, spans=old.spans)

        change(store, record_key(record.name), ServiceRecord, edit)


def balanced(shares: list[Share], new: Share, weight: int | None) -> list[Share]:
    """Return the shares with a version that gets so much; the others share the rest as they did, and shadows stay.

    Args:
        shares: Of before.
        new: The version; its own weight does not count.
        weight: Per cent; all of it leaves no other. None makes it a shadow.

    Raises:
        UsageError: The weight is not between 1 and 100, or there is no other version for the rest.
    """
    others = [one for one in shares if (one.model, one.number) != (new.model, new.number)]
    answering, shadows = [one for one in others if one.weight], [one for one in others if one.shadow]
    if weight is None:
        if any(one.weight for one in shares) and not answering:
            hint = "deploy another version first, or one of another model"
            raise UsageError(f"{new.model}/v{new.number} is what answers, and so cannot be a shadow", hint=hint)
        if not answering:
            raise UsageError("there is no version yet that answers, beside which this one could be a shadow")
        return [*answering, *shadows, msgspec.structs.replace(new, weight=0, shadow=True)]
    if not 1 <= weight <= WHOLE:
        raise UsageError(f"traffic of {weight} % is not possible", hint="from 1 to 100, as in --traffic 10")
    if weight == WHOLE:
        return [msgspec.structs.replace(new, weight=WHOLE), *shadows]
    if not answering:
        raise UsageError("there is no other version for the rest of the requests", hint="leave --traffic out")
    whole, rest = sum(one.weight for one in answering), WHOLE - weight
    scaled = [msgspec.structs.replace(one, weight=one.weight * rest // whole) for one in answering]
    lost = rest - sum(one.weight for one in scaled)  # by rounding
    scaled[0] = msgspec.structs.replace(scaled[0], weight=scaled[0].weight + lost)
    return [*scaled, msgspec.structs.replace(new, weight=weight), *shadows]


def users(store: Store, model: str) -> dict[str, list[str]]:
    """Return the services that answer with versions of a model, by version."""
    found: dict[str, list[str]] = {}
    for name in service_names(store):
        if record := find_service(store, name):
            for share in record.shares:
                if share.model == model:
                    found.setdefault(format_version(share.number), []).append(name)
    return found


def uses_of(store: Store) -> Iterator[Use]:
    """Yield the times of all services, also of deleted ones, as far as their price was known."""
    for name in service_names(store):
        record = find(store, record_key(name), ServiceRecord)
        for span in record.spans if record else ():
            finished = span.finished or time.time()
            yield Use(kind="service", name=name, started=span.started, finished=finished, price=span.price)
