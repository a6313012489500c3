"""Ask a service that runs: how it is, and what it makes of something."""

import http.client
import json
from http import HTTPStatus
from typing import Any, NamedTuple

from orchestrator.errors import MlctlError, PermissionDeniedError, StoreError

TIMEOUT = 60.0  # seconds
_OF_MODEL = "mlctl service logs {name} --models"
_HINTS: dict[int, str] = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "send less; a picture gets smaller with --resize",
    HTTPStatus.UNPROCESSABLE_ENTITY: _OF_MODEL,
    HTTPStatus.INTERNAL_SERVER_ERROR: _OF_MODEL,
    HTTPStatus.SERVICE_UNAVAILABLE: "try again; how it is: mlctl service get {name}",
    HTTPStatus.GATEWAY_TIMEOUT: _OF_MODEL,
}


class ServiceError(StoreError):
    """The service did not answer, or refused to."""


class Answer(NamedTuple):
    """What came back.

    Attributes:
        status: Of HTTP.
        document: The JSON.
        model: The version that answered, as `digits/v3`.
    """

    status: int
    document: Any
    model: str


class Request(NamedTuple):
    """What is sent.

    Attributes:
        body: All of it.
        kind: Its content type.
    """

    body: bytes
    kind: str


def ask(
    host: str,
    port: int,
    path: str,
    *,
    body: bytes = b"",
    kind: str = "",
    token: str = "",
    method: str = "POST",
    timeout: float = TIMEOUT,
) -> Answer:
    """Send a request and return the answer, whatever its status.

    Raises:
        ServiceError: Nobody answers, or not in JSON.
    """
    headers = {name: value for name, value in (("Content-Type", kind), ("X-Auth-Token", token)) if value}
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path, body or None, headers)
        response = connection.getresponse()
        data = response.read()
        return Answer(response.status, json.loads(data), response.headers.get("X-Mlctl-Model", ""))
    except (OSError, http.client.HTTPException) as error:
        message = f"http://{host}:{port} does not answer: {error or type(error).__name__}"
        raise ServiceError(message, hint="mlctl service list") from error
    except ValueError as error:
        raise ServiceError(f"http://{host}:{port} answers something else than a service of mlctl") from error
    finally:
        connection.close()


def value_of(answer: Answer, name: str, *, of: str = "") -> Any:
    """Return what a good answer of a service holds.

    Args:
        answer: It.
        name: Of the service.
        of: What was asked about, as in `row 3: `, for people.

    Raises:
        PermissionDeniedError: The service does not take the token.
        MlctlError: It is an error; with the service's own words.
    """
    if let_in(answer, name).status == HTTPStatus.OK:
        return answer.document
    raise MlctlError(of + fault_of(answer), hint=_HINTS.get(answer.status, "").format(name=name))


def let_in(answer: Answer, name: str) -> Answer:
    """Return an answer of a service that took the token. Raises PermissionDeniedError."""
    if answer.status == HTTPStatus.UNAUTHORIZED:
        hint = f"give the right one with --token or MLCTL_TOKEN; a new one: mlctl service token {name}"
        raise PermissionDeniedError(fault_of(answer), hint=hint)
    return answer


def fault_of(answer: Answer) -> str:
    """Return what an answer that is an error says."""
    document = answer.document
    said = document.get("msg", document) if isinstance(document, dict) else document
    return f"the service answers with {answer.status}: {said}"
