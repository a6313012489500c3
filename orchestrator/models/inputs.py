"""What a model takes, as its config.json says in the schemas of `apis[].request.data`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec

from orchestrator.errors import UsageError
from orchestrator.models.package import CONFIG

IMAGES = "images"  # the field of a form, where config.json names none
PICTURE = "picture"
_Pixels = Annotated[int, msgspec.Meta(ge=1, le=99_999)]


class Picture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What pictures a model takes: `"picture"` beside `"type": "file"`, which is mlctl's own and ignored by others.

    Attributes:
        gray: In shades of gray.
        size: Width and height in pixels; None is any.
        background: What its subject is on; None is either.
    """

    gray: bool = False
    size: tuple[_Pixels, _Pixels] | None = None
    background: Literal["black", "white"] | None = None


def field_of(config: Mapping[str, Any]) -> str:
    """Return the name of the field that a model's config.json says a file comes in."""
    return next((name for name, _ in _files(config)), IMAGES)


def picture_of(config: Mapping[str, Any]) -> Picture:
    """Return what a model's config.json says of the pictures that it takes.

    Raises:
        UsageError: It cannot be understood; the message begins with the file's name.
    """
    for _, schema in _files(config):
        try:
            return msgspec.convert(schema.get(PICTURE, {}), Picture)
        except msgspec.ValidationError as error:
            message = f'{CONFIG}: "{PICTURE}" cannot be understood: {error}'
            example = '{"gray": true, "size": [28, 28], "background": "black"}'
            raise UsageError(message, hint=f"as in {example}; or send the file as it is: --as-is") from error
    return Picture()


def schemas_of(config: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what a model's config.json has as `apis[].request.data`, which should be schemas."""
    apis = config.get("apis")
    for api in apis if isinstance(apis, list) else []:
        request = api.get("request") if isinstance(api, dict) else None
        if isinstance(request, dict):
            yield request.get("data")


def _files(config: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and schema of the fields that are files."""
    for schema in schemas_of(config):
        found = schema.get("properties") if isinstance(schema, dict) else None
        for name, schema in found.items() if isinstance(found, dict) else ():
            if isinstance(schema, dict) and schema.get("type") == "file":
                yield name, schema
