"""Ask a service that runs: how it is, and what it makes of something."""

import http.client
import json
import mimetypes
import uuid
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.errors import MlctlError, StoreError

TIMEOUT = 60.0  # seconds


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


def ask(
    host: str, port: int, path: str, *, body: bytes = b"", kind: str = "", token: str = "", method: str = "POST"
) -> Answer:
    """Send a request and return the answer, whatever its status.

    Raises:
        ServiceError: Nobody answers, or not in JSON.
    """
    headers = {name: value for name, value in (("Content-Type", kind), ("X-Auth-Token", token)) if value}
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
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


def value_of(answer: Answer, name: str) -> Any:
    """Return what a good answer of a service holds.

    Raises:
        MlctlError: It is an error; with the service's own words.
    """
    if answer.status == HTTPStatus.OK:
        return answer.document
    said = answer.document.get("msg", answer.document) if isinstance(answer.document, dict) else answer.document
    raise MlctlError(f"the service answers with {answer.status}: {said}", hint=f"mlctl service logs {name} --models")


def form_of(files: dict[str, Path]) -> tuple[bytes, str]:
    """Return the body of a form with files, by field, and its content type.

    Raises:
        OSError: A file cannot be read.
    """
    boundary = uuid.uuid4().hex
    parts = []
    for field, path in files.items():
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        name = path.name.replace('"', "%22")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        parts.append(f"{head}Content-Type: {kind}\r\n\r\n".encode() + path.read_bytes() + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
