"""The HTTP side of a service: who may ask, what came of it, and who answers which protocol."""

import contextlib
import json
import logging
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

from orchestrator.serving import modelarts, openinference, tfserving
from orchestrator.serving.auth import is_allowed
from orchestrator.serving.metrics import Metrics
from orchestrator.serving.pool import BusyError, Pool
from orchestrator.serving.process import ModelError, UnavailableError
from orchestrator.serving.replies import RequestError, refusal, reply
from orchestrator.serving.service import Service, UnknownModelError

ACCESS = logging.getLogger("mlctl.access")
REQUEST_ID = "X-Request-Id"
_CALLERS_FAULT = {"ValueError", "TypeError", "UnidentifiedImageError"}  # kinds of exceptions that mostly are
_OPEN = {"/health", "/ready", "/metrics", "/v2/health/live", "/v2/health/ready"}

Endpoint = Callable[["Front", Request], Awaitable[Response]]


class Front:
    """Answers requests.

    Args:
        service: What stands behind it.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.metrics = Metrics()

    async def ask(self, request: Request, pool: Pool, question: dict[str, Any], protocol: str) -> Any:
        """Have a version answer, and count it.

        Raises:
            RequestError: It did not; says why.
        """
        request.state.model = pool.deployed.ref
        labels = (pool.deployed.model, f"v{pool.deployed.number}", protocol)
        self.metrics.requests.labels(*labels).inc()
        begun = time.perf_counter()
        try:
            with self.metrics.waiting.track_inprogress():
                return await pool.ask(question)
        except (BusyError, UnavailableError) as error:
            self.metrics.failures.labels(*labels).inc()
            raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        except ModelError as error:
            self.metrics.failures.labels(*labels).inc()
            fault = error.kind in _CALLERS_FAULT
            status = HTTPStatus.UNPROCESSABLE_ENTITY if fault else HTTPStatus.INTERNAL_SERVER_ERROR
            raise RequestError(status, f"{pool.deployed.ref}: {error.kind}: {error.message}") from error
        finally:
            self.metrics.seconds.labels(*labels).observe(time.perf_counter() - begun)

    def guarded(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that lets in whom it should, turns faults into answers, and is logged."""

        async def answer(request: Request) -> Response:
            begun = time.perf_counter()
            identity = request.headers.get(REQUEST_ID) or uuid.uuid4().hex
            settings = self.service.settings
            if request.url.path not in _OPEN and not is_allowed(request.headers, settings.tokens):
                message = "a token is needed: X-Auth-Token, Authorization: Bearer, or X-Apig-AppCode"
                response = refusal(HTTPStatus.UNAUTHORIZED, message)
            else:
                try:
                    response = await endpoint(self, request)
                except RequestError as error:
                    response = refusal(error.status, error.message)
                except UnknownModelError as error:
                    response = refusal(HTTPStatus.NOT_FOUND, str(error))
            response.headers[REQUEST_ID] = identity
            model = getattr(request.state, "model", "")
            if model:
                response.headers["X-Mlctl-Model"] = model
            entry = {
                "time": time.time(),
                "id": identity,
                "method": request.method,
                "path": request.url.path,
                "status": response.status_code,
                "seconds": round(time.perf_counter() - begun, 6),
                "model": model,
            }
            ACCESS.info(json.dumps(entry))
            return response

        return answer


async def _health(front: Front, request: Request) -> Response:
    return reply({"status": "alive"})


async def _ready(front: Front, request: Request) -> Response:
    if front.service.ready:
        return reply({"status": "ready"})
    problems = [pool.problem for pool in front.service.pools if pool.problem]
    raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, "; ".join(problems) or "the models are being loaded")


async def _service(front: Front, request: Request) -> Response:
    service = front.service
    models = [
        {
            "model": pool.deployed.model,
            "number": pool.deployed.number,
            "weight": pool.deployed.weight,
            "ready": pool.ready,
            "problem": pool.problem,
        }
        for pool in service.pools
    ]
    revision, problem = service.refused
    refused = {"revision": revision, "problem": problem}
    return reply(
        {"name": service.settings.name, "revision": service.settings.revision, "models": models, "refused": refused}
    )


async def _metrics(front: Front, request: Request) -> Response:
    return Response(generate_latest(front.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def make_app(service: Service) -> Starlette:
    """Return the ASGI application of a service."""
    front = Front(service)
    table: list[tuple[str, str, Endpoint]] = [
        ("GET", "/health", _health),
        ("GET", "/ready", _ready),
        ("GET", "/metrics", _metrics),
        ("GET", "/service", _service),
        *tfserving.ROUTES,
        *openinference.ROUTES,
        *modelarts.ROUTES,
    ]

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = f"{request.method} {request.url.path}: {error.detail}; to be asked: POST /"
        return refusal(HTTPStatus(error.status_code), message)

    routes = [Route(path, front.guarded(endpoint), methods=[method]) for method, path, endpoint in table]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: unknown})
