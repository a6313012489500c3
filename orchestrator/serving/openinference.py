"""The Open Inference Protocol, version 2, over REST (https://github.com/kserve/open-inference-protocol).

With its extension for binary data: behind the JSON, whose length a header tells, come the values of inputs that have
none in it, and in answers those of outputs, where the client asks for that
(https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md).
"""

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.serving.body import decoded, read_body
from orchestrator.serving.pool import Pool
from orchestrator.serving.raw import from_raw, to_raw
from orchestrator.serving.replies import RequestError, reply
from orchestrator.serving.service import Service
from orchestrator.serving.texts import TEXT, array_of_texts, readable

if TYPE_CHECKING:
    from orchestrator.serving.app import Endpoint, Web

NAME = "openinference"
SERVER = "mlctl"
JSON_LENGTH = "Inference-Header-Content-Length"  # header: bytes of the JSON, where more follows
BINARY = "application/octet-stream"
TYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "INT8": "int8",
    "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
}  # fmt: skip
BYTES = "BYTES"  # the protocol's type of text
_NAMES = {name: kind for kind, name in TYPES.items()}


class Binary(msgspec.Struct, frozen=True):
    """What the extension adds to the parameters of a request, an input or an output.

    Attributes:
        output: Whether outputs come in binary, if they do not say otherwise.
        own: The same of one output.
        size: Bytes of an input's values behind the JSON.
    """

    output: bool = msgspec.field(default=False, name="binary_data_output")
    own: bool | None = msgspec.field(default=None, name="binary_data")
    size: Annotated[int, msgspec.Meta(ge=0)] | None = msgspec.field(default=None, name="binary_data_size")


class Tensor(msgspec.Struct):
    """An input."""

    name: str
    shape: list[Annotated[int, msgspec.Meta(ge=0)]]
    datatype: str
    data: list[Any] | None = None
    parameters: Binary = Binary()


class Wanted(msgspec.Struct):
    """An output that is asked for."""

    name: str
    parameters: Binary = Binary()


class Question(msgspec.Struct):
    """An inference request."""

    inputs: list[Tensor]
    id: str = ""
    outputs: list[Wanted] = []
    parameters: Binary = Binary()


async def _server(web: "Web", request: Request) -> Response:
    from orchestrator.version import __version__

    return reply({"name": SERVER, "version": __version__, "extensions": ["binary_tensor_data"]})


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
    body = await read_body(request, web.service.settings)
    end = _end_of_json(request, body)
    try:
        question = msgspec.convert(decoded(body[:end]), Question)
    except msgspec.ValidationError as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"this is no inference request: {error}") from error
    pool = _pool(web, request)
    inputs = _inputs(question, body[end:])
    asked = {"do": "predict", "inputs": inputs, "outputs": [one.name for one in question.outputs] or None}
    found: dict[str, Any] = await web.ask(request, pool, asked, NAME)
    outputs, binary = _outputs(question, {name: np.asarray(value) for name, value in found.items()})
    answer = {"model_name": pool.deployed.model, "model_version": str(pool.deployed.number), "outputs": outputs}
    answer |= {"id": question.id} if question.id else {}
    if not binary:
        return reply(answer)
    text = msgspec.json.encode(answer)
    return Response(b"".join([text, *binary]), headers={JSON_LENGTH: str(len(text))}, media_type=BINARY)


def _pool(web: "Web", request: Request) -> Pool:
    return web.service.choose(request.path_params["model"], request.path_params.get("number"))


def _end_of_json(request: Request, body: bytes) -> int:
    length = request.headers.get(JSON_LENGTH, str(len(body)))
    if not length.isdecimal() or int(length) > len(body):
        message = f"{JSON_LENGTH} is {length!r}, and the request has {len(body)} bytes"
        raise RequestError(HTTPStatus.BAD_REQUEST, message)
    return int(length)


def _inputs(question: Question, binary: bytes) -> dict[str, Any]:
    found, at = {}, 0
    for one in question.inputs:
        check_datatype(one.name, one.datatype)
        if (size := one.parameters.size) is None:
            found[one.name] = _array(one)
            continue
        if one.data is not None or at + size > len(binary):
            reason = "has values twice" if one.data is not None else f"wants {size} bytes, of {len(binary) - at}"
            raise RequestError(HTTPStatus.BAD_REQUEST, f"input {one.name} {reason}")
        found[one.name] = from_raw(one.name, binary[at : at + size], TYPES.get(one.datatype, TEXT), one.shape)
        at += size
    if at < len(binary):
        message = f"{len(binary) - at} bytes behind the JSON belong to no input"
        raise RequestError(HTTPStatus.BAD_REQUEST, message)
    return found


def _outputs(question: Question, arrays: dict[str, Any]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return the outputs, and the values of those that come in binary."""
    own = {one.name: one.parameters.own for one in question.outputs}
    told, binary = [], []
    for name, value in arrays.items():
        tensor: dict[str, Any] = {"name": name, "shape": list(value.shape), "datatype": datatype_of(value)}
        if question.parameters.output if (asked := own.get(name)) is None else asked:
            binary.append(to_raw(value))
            told.append(tensor | {"parameters": {"binary_data_size": len(binary[-1])}})
        else:
            told.append(tensor | {"data": readable(value.reshape(-1))})
    return told, binary


def _array(tensor: Tensor) -> Any:
    if tensor.data is None:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"input {tensor.name} has no data")
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
