"""What a client gets that asked for what cannot be: the error body of ModelArts, with a fitting HTTP status."""

from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

RETRY = 1  # seconds after which a client that was turned away may come again
INFERENCE = "MR.0105"  # ModelArts' own number for an inference that failed
_OTHERS = ("/v1/models/", "/v2")  # paths of TensorFlow Serving's protocol, and of the Open Inference Protocol
_NUMBERS = {HTTPStatus.UNAUTHORIZED: "MR.0101", HTTPStatus.NOT_FOUND: "MR.0104"}


class RequestError(Exception):
    """A request that cannot be answered.

    Attributes:
        status: Of HTTP.
        message: What is wrong, and what would be right.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def reply(document: Any, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    """Return an answer in JSON."""
    return Response(msgspec.json.encode(document), status, headers, "application/json")


def refusal(status: HTTPStatus, message: str, path: str = "") -> Response:
    """Return an error; at a path of the other protocols it also stands where their clients look for it."""
    headers = {"Retry-After": str(RETRY)} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    if status is HTTPStatus.UNAUTHORIZED:
        headers = {"WWW-Authenticate": "Bearer"}
    body = {"erno": _NUMBERS.get(status, INFERENCE), "msg": message, "words_result": {}}
    return reply(body | ({"error": message} if path.startswith(_OTHERS) else {}), status, headers)
