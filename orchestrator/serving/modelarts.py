"""ModelArts' own protocol: a form with files or JSON to `/`, and what the service makes of it back."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.serving.body import read_request
from orchestrator.serving.replies import RequestError

if TYPE_CHECKING:
    from orchestrator.serving.app import Endpoint, Web

NAME = "modelarts"


async def _infer(web: "Web", request: Request) -> Response:
    identity = request.path_params.get("id")
    if identity and identity != web.service.settings.name:
        message = f"there is no service {identity!r} here; this is {web.service.settings.name!r}"
        raise RequestError(HTTPStatus.NOT_FOUND, message)
    question = await read_request(request, web.service.settings)
    answer: bytes = await web.ask(request, web.service.choose(), {"do": "infer", **question}, NAME)
    return Response(answer, media_type="application/json")


ROUTES: list[tuple[str, str, "Endpoint"]] = [
    ("POST", "/", _infer),
    ("POST", "/v1/infers/{id}", _infer),
    ("POST", "/v1/infers/{id}/{rest:path}", _infer),
]
