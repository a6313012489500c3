"""The Open Inference Protocol, version 2, over REST (https://github.com/kserve/open-inference-protocol)."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.serving.body import read_json
from orchestrator.serving.pool import Pool
from orchestrator.serving.replies import RequestError, reply
from orchestrator.serving.service import Service
from orchestrator.serving.texts import array_of_texts, readable

if TYPE_CHECKING:
    from orchestrator.serving.app import Endpoint, Web

NAME = "openinference"
SERVER = "mlctl"
TYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "INT8": "int8",
    "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
}  # fmt: skip
BYTES = "BYTES"  # the protocol's type of text
_NAMES = {name: kind for kind, name in TYPES.items()}


class Tensor(msgspec.Struct):
    """An input."""

    name: str
    shape: list[Annotated[int, msgspec.Meta(ge=0)]]
    datatype: str
    data: list[Any]


class Wanted(msgspec.Struct):
    """An output that is asked for."""

    name: str


class Question(msgspec.Struct):
    """An inference request."""

    inputs: list[Tensor]
    id: str = ""
    outputs: list[Wanted] = []


async def _server(web: "Web", request: Request) -> Response:
    from orchestrator.version import __version__

    return reply({"name": SERVER, "version": __version__, "extensions": []})


async def _live(web: "Web", request: Request) -> Response:
    return reply({"live": True})


async def _ready(web: "Web", request: Request) -> Response:
    status = HTTPStatus.OK if web.service.ready else HTTPStatus.SERVICE_UNAVAILABLE
    return reply({"ready": web.service.ready}, status)


async def _model_ready(web: "Web", request: Request) -> Response:
    pool = _pool(web, request)
    status = HTTPStatus.OK if pool.ready else HTTPStatus.SERVICE_UNAVAILABLE
    return reply({"name": pool.deployed.model, "ready": pool.ready}, status)


async def _metadata(web: "Web", request: Request) -> Response:
    return reply(metadata_of(web.service, _pool(web, request)))


def metadata_of(service: Service, pool: Pool) -> dict[str, Any]:
    """Return what the protocol tells of a version."""
    sides = {
        side: [
            {"name": one["name"], "datatype": _NAMES.get(one["dtype"], BYTES), "shape": one["shape"] or [-1]}
            for one in pool.described.get(side, [])
        ]
        for side in ("inputs", "outputs")
    }
    versions = [str(one.deployed.number) for one in service.pools if one.deployed.model == pool.deployed.model]
    platform = str(pool.described.get("kind", "")).lower()
    return {"name": pool.deployed.model, "versions": versions, "platform": platform, **sides}


async def _infer(web: "Web", request: Request) -> Response:
    body = await read_json(request, web.service.settings)
    try:
        question = msgspec.convert(body, Question)
    except msgspec.ValidationError as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"this is no inference request: {error}") from error
    pool = _pool(web, request)
    inputs = {one.name: _array(one) for one in question.inputs}
    asked = {"do": "predict", "inputs": inputs, "outputs": [one.name for one in question.outputs] or None}
    found: dict[str, Any] = await web.ask(request, pool, asked, NAME)
    answer = {
        "model_name": pool.deployed.model,
        "model_version": str(pool.deployed.number),
        "outputs": [_tensor(name, np.asarray(value)) for name, value in found.items()],
    }
    return reply(answer | ({"id": question.id} if question.id else {}))


def _pool(web: "Web", request: Request) -> Pool:
    return web.service.choose(request.path_params["model"], request.path_params.get("number"))


def _array(tensor: Tensor) -> Any:
    check_datatype(tensor.name, tensor.datatype)
    try:
        if tensor.datatype == BYTES:
            return array_of_texts(tensor.data).reshape(tensor.shape)
        return np.asarray(tensor.data, dtype=TYPES[tensor.datatype]).reshape(tensor.shape)
    except (ValueError, TypeError, OverflowError) as error:
        message = f"input {tensor.name} is not {tensor.datatype} of shape {tensor.shape}: {error}"
        raise RequestError(HTTPStatus.BAD_REQUEST, message) from error


def check_datatype(name: str, datatype: str) -> None:
    """Raise RequestError if an input's type is none of the protocol's."""
    if datatype != BYTES and datatype not in TYPES:
        message = f"input {name} has datatype {datatype!r}; known are {', '.join(TYPES)}, {BYTES}"
        raise RequestError(HTTPStatus.BAD_REQUEST, message)


def datatype_of(value: Any) -> str:
    """Return the protocol's name for an array's type; `BYTES` for all that it has no name for."""
    return _NAMES.get(value.dtype.name, BYTES)


def _tensor(name: str, value: Any) -> dict[str, Any]:
    return {
        "name": name,
        "shape": list(value.shape),
        "datatype": datatype_of(value),
        "data": readable(value.reshape(-1)),
    }


ROUTES: list[tuple[str, str, "Endpoint"]] = [
    ("GET", "/v2", _server),
    ("GET", "/v2/health/live", _live),
    ("GET", "/v2/health/ready", _ready),
    *(
        entry
        for base in ("/v2/models/{model}", "/v2/models/{model}/versions/{number:int}")
        for entry in (
            ("GET", base, _metadata),
            ("GET", base + "/ready", _model_ready),
            ("POST", base + "/infer", _infer),
        )
    ),
]
