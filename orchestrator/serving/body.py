"""Read what a client sends: JSON, or a form with files, and no more than is allowed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from orchestrator.serving.replies import RequestError
from orchestrator.serving.settings import Settings

FORM = "multipart/form-data"
FILES, FIELDS = 1000, 1000  # of a form at most


async def read_json(request: Request, settings: Settings) -> Any:
    """Return what the JSON of a request says.

    Raises:
        RequestError: It is none, is too large, or takes too long to come.
    """
    return _decoded(await _read(request, settings))


async def _read(request: Request, settings: Settings) -> bytes:
    async with _patience(settings):
        return b"".join([block async for block in _blocks(request, settings.body)])


@contextlib.asynccontextmanager
async def _patience(settings: Settings) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(settings.body_timeout):
            yield
    except TimeoutError:
        message = f"the request was not there within {settings.body_timeout:g} s"
        raise RequestError(HTTPStatus.REQUEST_TIMEOUT, message) from None
    except ClientDisconnect:
        raise RequestError(HTTPStatus.BAD_REQUEST, "the client has gone before its request was there") from None


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
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
    kind = request.headers.get("content-type", "")
    if not kind.startswith(FORM):
        body = await _read(request, settings)
        _decoded(body)
        return {"json": body}
    parser = MultiPartParser(
        request.headers,
        _blocks(request, settings.body),
        max_files=FILES,
        max_fields=FIELDS,
        max_part_size=settings.body,
    )
    parser.spool_max_size = 2 * settings.body  # never to the disk
    try:
        async with _patience(settings):
            form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"the form cannot be read: {error}") from error
    files: dict[str, dict[str, bytes]] = {}
    for field, value in form.multi_items():
        if isinstance(value, UploadFile):
            files.setdefault(field, {})[value.filename or field] = await value.read()
            await value.close()
        else:
            files.setdefault(field, {})[field] = value.encode()
    if not files:
        raise RequestError(HTTPStatus.BAD_REQUEST, "the form has no file: send one, as in curl -F images=@seven.png")
    return {"files": files}


async def _blocks(request: Request, limit: int) -> Any:
    size = 0
    async for block in request.stream():
        size += len(block)
        if size > limit:
            message = f"the request has more than {limit >> 20} MiB ({limit} bytes), which is the most that is taken"
            raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        yield block
