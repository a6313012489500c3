"""Read what a client sends: JSON, or a form with files, and no more than is allowed."""

import asyncio
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request

from orchestrator.serving.form import FormError, read_form
from orchestrator.serving.replies import RequestError
from orchestrator.serving.settings import Settings

FORM = "multipart/form-data"
_ANY = msgspec.json.Decoder()
_VALID = msgspec.json.Decoder(msgspec.Raw)  # looks through the text, and makes nothing of it


async def read_json(request: Request, settings: Settings) -> Any:
    """Return what the JSON of a request says.

    Raises:
        RequestError: It is none, is too large, or takes too long to come.
    """
    return decoded(await read_body(request, settings))


async def read_body(request: Request, settings: Settings) -> bytes:
    """Return what came with a request. Raises RequestError, if it is too large or takes too long."""
    blocks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(settings.body_timeout):
            async for block in request.stream():
                size += len(block)
                if size > settings.body:
                    raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(settings.body))
                blocks.append(block)
    except TimeoutError:
        message = f"the request was not there within {settings.body_timeout:g} s"
        raise RequestError(HTTPStatus.REQUEST_TIMEOUT, message) from None
    except ClientDisconnect:
        raise RequestError(HTTPStatus.BAD_REQUEST, "the client has gone before its request was there") from None
    return b"".join(blocks)


def decoded(body: bytes, decoder: msgspec.json.Decoder[Any] = _ANY) -> Any:
    """Return what JSON says. Raises RequestError, if it is none."""
    try:
        return decoder.decode(str(body, "utf-8"))
    except RecursionError:
        raise RequestError(HTTPStatus.BAD_REQUEST, "the request's JSON is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"the request is not valid JSON: {error}" if body else "the request has no body"
        raise RequestError(HTTPStatus.BAD_REQUEST, message) from error


async def read_request(request: Request, settings: Settings) -> dict[str, Any]:
    """Return what a model's process is asked: `{"files": {field: {name: bytes}}}` or `{"json": bytes}`.

    Raises:
        RequestError: It is neither JSON nor a form with files, is too large, or takes too long to come.
    """
    body = await read_body(request, settings)
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith(FORM):
        decoded(body, _VALID)
        return {"json": body}
    try:
        return {"files": read_form(kind, body)}
    except FormError as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, str(error)) from error


def _too_large(most: int) -> str:
    return f"the request has more than {most >> 20} MiB ({most} bytes), which is the most that is taken"
