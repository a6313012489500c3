"""The HTTP side of a service: who may ask, what came of it, and who answers which protocol."""

import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from orchestrator.serving import modelarts, openinference, tfserving
from orchestrator.serving.access import REQUEST_ID, log_access, new_request_id
from orchestrator.serving.auth import REFUSED, is_allowed
from orchestrator.serving.front import Front
from orchestrator.serving.metrics import Calls
from orchestrator.serving.openapi import document
from orchestrator.serving.pool import Pool
from orchestrator.serving.replies import RequestError, refusal, reply
from orchestrator.serving.service import UnknownModelError

DRAIN = 30  # seconds that requests under way are waited for at the end
_OPEN = {"/openapi.json", "/health", "/ready", "/metrics", "/v2/health/live", "/v2/health/ready"}

Endpoint = Callable[["Web", Request], Awaitable[Response]]


class Web:
    """Answers requests over HTTP.

    Args:
        front: Asks the versions.
    """

    def __init__(self, front: Front) -> None:
        self.front = front
        self.service = front.service
        self.identity = uuid.uuid4().hex

    async def ask(self, request: Request, pool: Pool, question: dict[str, Any], protocol: str) -> Any:
        """Have a version answer; the client is told which. Raises RequestError."""
        request.state.model = pool.deployed.ref
        shadowed = "number" not in request.path_params
        return await self.front.ask(pool, question, protocol, shadowed=shadowed)


class Guarded:
    """An endpoint, as ASGI has it, that lets in whom it should, turns faults into answers, and is logged.

    Args:
        web: Answers requests.
        endpoint: The endpoint.
    """

    def __init__(self, web: Web, endpoint: Endpoint) -> None:
        self._web = web
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        request = Request(scope, receive, send)
        identity = request.headers.get(REQUEST_ID) or new_request_id()
        response = await self._answer(request)
        response.headers[REQUEST_ID] = identity
        model = getattr(request.state, "model", "")
        if model:
            response.headers["X-Mlctl-Model"] = model
        await response(scope, receive, send)
        log_access(identity, scope["method"], scope["path"], response.status_code, begun, model)

    async def _answer(self, request: Request) -> Response:
        # Not `request.url.path`: older Starlettes make the URL of the Host that the client names, `x/health?` for one.
        path = request.scope["path"]
        if path not in _OPEN and not is_allowed(request.headers, self._web.service.settings.tokens):
            return refusal(HTTPStatus.UNAUTHORIZED, REFUSED, path)
        try:
            return await self._endpoint(self._web, request)
        except RequestError as error:
            return refusal(error.status, error.message, path)
        except UnknownModelError as error:
            return refusal(HTTPStatus.NOT_FOUND, str(error), path)


async def _health(web: Web, request: Request) -> Response:
    return reply({"status": "alive"})


async def _ready(web: Web, request: Request) -> Response:
    if web.service.ready:
        return reply({"status": "ready"})
    problems = [pool.problem for pool in web.service.pools if pool.problem]
    raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, "; ".join(problems) or "the models are being loaded")


async def _service(web: Web, request: Request) -> Response:
    service = web.service
    models = [
        {
            "model": pool.deployed.model,
            "number": pool.deployed.number,
            "weight": pool.deployed.weight,
            "shadow": pool.deployed.shadow,
            "ready": pool.ready,
            "problem": pool.problem,
            "calls": _calls(web.front.metrics.calls(pool.deployed.model, pool.deployed.number)),
        }
        for pool in service.pools
    ]
    revision, problem = service.refused
    refused = {"revision": revision, "problem": problem}
    return reply(
        {
            "name": service.settings.name,
            "revision": service.settings.revision,
            "models": models,
            "refused": refused,
            "front": web.identity,  # which of several pods this is
            "used": web.front.used,
        }
    )


def _calls(calls: Calls) -> dict[str, int]:
    return {"invocations": calls.invocations, "failures": calls.failures, "per_minute": calls.per_minute}


async def _openapi(web: Web, request: Request) -> Response:
    return reply(document(web.service))


async def _metrics(web: Web, request: Request) -> Response:
    return Response(generate_latest(web.front.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@contextlib.asynccontextmanager
async def _grpc(front: Front) -> AsyncIterator[None]:
    """Answer over gRPC, too, if a port is given."""
    if not front.service.settings.grpc_port:
        yield
        return
    from orchestrator.serving.rpc.server import make_server

    server = make_server(front)
    await server.start()
    yield
    await server.stop(DRAIN)


def make_app(front: Front) -> Starlette:
    """Return the ASGI application of a service."""
    web = Web(front)
    table: list[tuple[str, str, Endpoint]] = [
        *modelarts.ROUTES,
        *tfserving.ROUTES,
        *openinference.ROUTES,
        ("GET", "/health", _health),
        ("GET", "/ready", _ready),
        ("GET", "/metrics", _metrics),
        ("GET", "/service", _service),
        ("GET", "/openapi.json", _openapi),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await web.service.start()
        async with _grpc(front):
            yield
        await web.service.stop()

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = f"{request.method} {request.url.path}: {error.detail}; to be asked: POST /"
        response = refusal(HTTPStatus(error.status_code), message)
        response.headers.update(error.headers or {})
        return response

    async def broken(request: Request, error: Exception) -> Response:
        return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, f"the service itself failed: {type(error).__name__}: {error}")

    routes = [Route(path, Guarded(web, endpoint), methods=[method]) for method, path, endpoint in table]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: unknown, Exception: broken})
