"""From the body of a write to an object: its kind, its fields, and what is dropped or refused on the way."""

import base64
import copy

from tests.kubernetes.standin.resources import SECRETS, Object, Resource
from tests.kubernetes.standin.schema import Schemas
from tests.kubernetes.standin.status import bad_request


def decode(schemas: Schemas, resource: Resource, obj: Object, *, strict: str) -> tuple[Object, list[str]]:
    """Check that a body can be read as an object of its kind, and copy it.

    Args:
        schemas: Of the cluster's version.
        resource: What it is to be.
        obj: The body.
        strict: What to do about unknown fields: Strict refuses, Warn drops and tells, Ignore drops them.

    Returns:
        The object, and warnings.

    Raises:
        ApiError: 400.
    """
    read = _without_nulls(copy.deepcopy(obj))
    if not isinstance(read, dict):
        raise bad_request("couldn't get version/kind; json parse error: json: cannot unmarshal")
    said = (read.setdefault("apiVersion", resource.api_version), read.setdefault("kind", resource.kind))
    if said != (resource.api_version, resource.kind):
        told = f'no kind "{said[1]}" is registered for version "{said[0]}"'
        raise bad_request(f'{said[1]} in version "{said[0]}" cannot be handled as a {resource.kind}: {told}')
    found = schemas.check(resource, read)
    prefix = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
    if found.undecodable:
        raise bad_request(prefix + found.undecodable)
    unknown = [f'unknown field "{path}"' for path in found.unknown]
    if unknown and strict == "Strict":
        raise bad_request(f"{prefix}strict decoding error: {', '.join(unknown)}")
    for path in found.unknown:
        _drop(read, path)
    if not resource.namespaced:
        read.setdefault("metadata", {}).pop("namespace", None)
    if resource == SECRETS and "stringData" in read:
        texts = read.pop("stringData")
        data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        read["data"] = {**(read.get("data") or {}), **data}
    return read, unknown if strict == "Warn" else []


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _drop(obj: Object, path: str) -> None:
    """Take an unknown field out, as decoding does."""
    *parents, last = path.replace("[", ".[").split(".")
    place: object = obj
    for part in parents:
        if isinstance(place, list):
            place = place[int(part.strip("[]"))]
        elif isinstance(place, dict):
            place = place.get(part)
    if isinstance(place, dict):
        place.pop(last, None)
