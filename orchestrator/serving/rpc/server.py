"""The gRPC server: who may call, what came of it, and the errors of its own kind."""

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import grpc

from orchestrator.serving.access import REQUEST_ID, log_access, new_request_id
from orchestrator.serving.auth import REFUSED, is_allowed
from orchestrator.serving.front import Front
from orchestrator.serving.replies import RequestError
from orchestrator.serving.rpc import openinference, tfserving
from orchestrator.serving.rpc.call import Call, Method
from orchestrator.serving.rpc.messages import message
from orchestrator.serving.service import UnknownModelError

_CODES = {
    HTTPStatus.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.UNPROCESSABLE_ENTITY: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.UNAUTHORIZED: grpc.StatusCode.UNAUTHENTICATED,
    HTTPStatus.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    HTTPStatus.SERVICE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_Answer = Callable[[Any, Any], Awaitable[Any]]


class UnboundError(Exception):
    """The port is taken."""


def make_server(front: Front) -> Any:
    """Return a server that listens, and is still to be started.

    Args:
        front: Asks the versions.

    Raises:
        UnboundError: Its port is taken.
    """
    settings = front.service.settings
    options = [("grpc.max_receive_message_length", settings.body), ("grpc.so_reuseport", 0)]
    server = grpc.aio.server(options=options)
    services: dict[str, dict[str, Any]] = {}
    for method in (*tfserving.METHODS, *openinference.METHODS):
        service, name, asked, answered, _ = method
        services.setdefault(service, {})[name] = grpc.unary_unary_rpc_method_handler(
            _guarded(front, method),
            request_deserializer=message(asked).FromString,
            response_serializer=message(answered).SerializeToString,
        )
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()]
    )
    try:
        server.add_insecure_port(f"{settings.host or '[::]'}:{settings.grpc_port}")
    except RuntimeError as error:
        raise UnboundError(f"port {settings.grpc_port}, for gRPC, cannot be had: {error}") from error
    return server


def _guarded(front: Front, method: Method) -> _Answer:
    """Return a method that lets in whom it should, turns faults into errors, and is logged."""
    service, name, _, answered, make = method
    path = f"/{service}/{name}"
    response = message(answered)

    async def answer(request: Any, context: Any) -> Any:
        begun = time.perf_counter()
        headers = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        identity = headers.get(REQUEST_ID.lower()) or new_request_id()
        call, code, told = Call(front), grpc.StatusCode.OK, ""
        try:
            if path not in openinference.OPEN and not is_allowed(headers, front.service.settings.tokens):
                raise RequestError(HTTPStatus.UNAUTHORIZED, REFUSED)
            return response(**await make(call, request))
        except RequestError as error:
            code, told = _CODES.get(error.status, grpc.StatusCode.INTERNAL), error.message
        except UnknownModelError as error:
            code, told = grpc.StatusCode.NOT_FOUND, str(error)
        finally:
            context.set_trailing_metadata(((REQUEST_ID.lower(), identity), ("x-mlctl-model", call.model)))
            log_access(identity, "gRPC", path, code.name, begun, call.model)
        await context.abort(code, told)

    return answer
