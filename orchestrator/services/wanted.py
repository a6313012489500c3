"""A service as a new version is to make it: found out before anything is changed."""

import re
import secrets
from collections.abc import Mapping
from typing import NamedTuple, TypedDict

import msgspec

from orchestrator.engines import get_engine
from orchestrator.errors import ConflictError, UsageError
from orchestrator.models.load import engine_for
from orchestrator.models.models import Models
from orchestrator.models.packages import check_packages
from orchestrator.models.record import ModelVersion
from orchestrator.services.record import WHOLE, ServiceRecord, Share, balanced, find_service
from orchestrator.services.runner import Runner
from orchestrator.services.shape import Shape
from orchestrator.serving.auth import token_hash
from orchestrator.specs.names import VERSION_PATTERN, check_name, parse_version
from orchestrator.store.base import Store

TOKEN_BYTES = 24


class Options(TypedDict, total=False):
    """How a version is deployed.

    Attributes:
        name: Of the service; by default that of the model.
        traffic: Per cent of the requests, of which the versions of before share the rest; None makes it a shadow. By
            default all of them.
        engine: What serves it, instead of what it was trained with.
        port: Where a new service listens for HTTP on this machine; 0 is any that is free, as it is for gRPC.
        open: Whether a new service answers everybody, without a token.
        shape: Fields of `Shape` for a cluster; what is left out, or None, stays as it was.
        environment: Variables for the version's own code.
    """

    name: str | None
    traffic: int | None
    engine: str | None
    port: int
    open: bool
    shape: Mapping[str, object]
    environment: Mapping[str, str]


class Wanted(NamedTuple):
    """What a deploy is to do.

    Attributes:
        record: The service as it is to be.
        before: As it is; None if there is none.
        token: That of a new one, unless it is open; else nothing.
    """

    record: ServiceRecord
    before: ServiceRecord | None
    token: str


def wanted_service(store: Store, runner: Runner, version: ModelVersion, options: Options) -> Wanted:
    """Return a service as a version is to make it.

    Raises:
        RequirementsError: A package that the version asks for cannot be had, or contradicts the engine.
        UsageError: It cannot be made like that.
        ConflictError: It runs elsewhere.
    """
    name, shape = check_name(options.get("name") or version.name, "service"), dict(options.get("shape", {}))
    share = share_of(version, options.get("engine"), options.get("environment", {}))
    before, token = find_service(store, name), ""
    if before is None:
        record = runner.new(name, options.get("port", 0), shape)
    else:
        require_here(before, runner)
        record = runner.reshaped(before, shape)
        if record.shares and (port := options.get("port", 0)) not in (0, record.port):
            hint = "--port is for new services: give another --name, or delete it first"
            raise UsageError(f"service {name} listens at another port than {port}: {record.port}", hint=hint)
    is_open = options.get("open", False)
    if not record.shares:  # also where a first deploy was killed
        token = "" if is_open else new_token()
        record = msgspec.structs.replace(record, token=token_hash(token) if token else "")
    elif is_open and record.token:
        hint = "--open is for new services: give another --name, or delete it first"
        raise UsageError(f"service {name} asks for a token", hint=hint)
    if record.shape.server == "tfserving" and version.type != "TensorFlow":
        message = f"{version.ref} is of type {version.type}, and TensorFlow Serving has SavedModels only"
        raise UsageError(message, hint="--server engine")
    check_packages(version, None if _is_unknown(record.shape, share) else get_engine(share.engine))
    shares = balanced([] if record.stopped else record.shares, share, options.get("traffic", WHOLE))
    return Wanted(msgspec.structs.replace(record, shares=shares), before, token)


def share_of(version: ModelVersion, engine: str | None = None, environment: Mapping[str, str] | None = None) -> Share:
    """Return a version as one that gets all requests.

    Args:
        version: Of a model.
        engine: What serves it, instead of what it was trained with.
        environment: Variables for its own code.

    Raises:
        UsageError: It is not known which engine it needs.
    """
    name = engine_for(version, engine).name
    return Share(
        model=version.name, number=version.number, weight=WHOLE, engine=name, environment=dict(environment or {})
    )


def shares_of(record: ServiceRecord, weights: Mapping[str, int], models: Models) -> list[Share]:
    """Return the shares of a service that has these versions.

    Args:
        record: Of the service.
        weights: Per cent, by versions as in `v3` or `digits/v3`, or aliases.
        models: Of the store.

    Raises:
        NotFoundError: There is no such version.
        UsageError: One is named twice, or could be of several models.
    """
    shares: dict[tuple[str, int], Share] = {}
    for text, weight in weights.items():
        model, _, version = text.rpartition("/")
        number = parse_version(version) if re.fullmatch(VERSION_PATTERN, version) else None
        named = {share.model for share in record.shares if share.number == number}
        if not model and len(named) > 1:
            meant = " or ".join(f"{one}/{version}" for one in sorted(named))
            raise UsageError(
                f"{version} could be {meant}", hint=f"name the model, too, as in {meant.split()[0]}={weight}"
            )
        found = models.get(model or next(iter(named), record.shares[0].model), version)
        key = found.name, found.number
        if key in shares:
            raise UsageError(f"{found.ref} is named twice", hint="as in v2=90,v3=10")
        known = next((share for share in record.shares if (share.model, share.number) == key), None)
        shares[key] = msgspec.structs.replace(known or share_of(found), weight=weight, shadow=False)
    return list(shares.values())


def new_token() -> str:
    """Return a token that lets in."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def require_here(record: ServiceRecord, runner: Runner) -> None:
    """Refuse to change a service that runs elsewhere. Raises ConflictError."""
    if record.machine != runner.machine:
        hint = "run this command there, or with the context of that cluster"
        raise ConflictError(f"service {record.name} runs on {record.host}", hint=hint)


def _is_unknown(shape: Shape, share: Share) -> bool:
    """Return whether it is not known which packages the model's own code finds: those of another image."""
    return shape.server == "tfserving" or bool(shape.gpus and get_engine(share.engine).images.gpu)
