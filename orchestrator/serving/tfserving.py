"""TensorFlow Serving's REST protocol (https://www.tensorflow.org/tfx/serving/api_rest)."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.serving.body import read_json
from orchestrator.serving.pool import Pool
from orchestrator.serving.replies import RequestError, reply
from orchestrator.serving.texts import B64, array_of_texts, readable

if TYPE_CHECKING:
    from orchestrator.serving.app import Endpoint, Web

NAME = "tfserving"
DEFAULT = "serving_default"  # name of a signature, in TensorFlow
METHOD = "tensorflow/serving/predict"
_ENCODED = "_bytes"  # how the names of outputs end that hold no text
_MAP = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
_TYPES = {"float32": "FLOAT", "float64": "DOUBLE", "float16": "HALF"}
_TYPES |= {name: name.upper() for name in ("bool", "int8", "int16", "int32", "int64")}
_TYPES |= {name: name.upper() for name in ("uint8", "uint16", "uint32", "uint64")}


async def _predict(web: "Web", request: Request) -> Response:
    body = await read_json(request, web.service.settings)
    pool = _pool(web, request)
    if not isinstance(body, dict) or ("instances" in body) == ("inputs" in body):
        raise RequestError(HTTPStatus.BAD_REQUEST, 'the request is an object with either "instances" or "inputs"')
    signature = body.get("signature_name")
    if not isinstance(signature, str | None):
        raise RequestError(HTTPStatus.BAD_REQUEST, '"signature_name" is a string')
    rows = "instances" in body
    described = signatures_of(pool).get(signature or "", pool.described)
    names = [one["name"] for one in described.get("inputs", [])]
    inputs = _by_rows(body["instances"], names) if rows else _by_columns(body["inputs"], names)
    question = {"do": "predict", "inputs": inputs, "signature": signature}
    outputs: dict[str, Any] = await web.ask(request, pool, question, NAME)
    lists = {name: readable(np.asarray(value), encode=name.endswith(_ENCODED)) for name, value in outputs.items()}
    only = next(iter(lists.values())) if len(lists) == 1 else None
    if not rows:
        return reply({"outputs": lists if only is None else only})
    return reply({"predictions": _rows(lists) if only is None else only})


async def _status(web: "Web", request: Request) -> Response:
    pool = _pool(web, request)
    state = {"error_code": "OK", "error_message": pool.problem}
    version = {"version": str(pool.deployed.number), "state": "AVAILABLE" if pool.ready else "LOADING", "status": state}
    return reply({"model_version_status": [version]})


async def _metadata(web: "Web", request: Request) -> Response:
    pool = _pool(web, request)
    spec = {"name": pool.deployed.model, "signature_name": "", "version": str(pool.deployed.number)}
    signatures = {
        name: {**{side: _tensors(described.get(side, [])) for side in ("inputs", "outputs")}, "method_name": METHOD}
        for name, described in signatures_of(pool).items()
    }
    return reply({"model_spec": spec, "metadata": {"signature_def": {"@type": _MAP, "signature_def": signatures}}})


def signature_of(pool: Pool) -> str:
    """Return the name of the signature that a version is asked by, if the client names none."""
    known = list(signatures_of(pool))
    return known[0] if len(known) == 1 else DEFAULT


def signatures_of(pool: Pool) -> dict[str, dict[str, Any]]:
    """Return the inputs and outputs of each signature that a version has, by their names."""
    known: dict[str, dict[str, Any]] = pool.described.get("signatures", {})
    return known or {DEFAULT: pool.described}


def _rows(lists: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    except (TypeError, ValueError) as error:
        message = 'the outputs do not have a row for each instance: ask with "inputs" instead of "instances"'
        raise RequestError(HTTPStatus.BAD_REQUEST, message) from error


def _tensors(described: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        one["name"]: {
            "dtype": "DT_" + _TYPES.get(one["dtype"], "STRING"),
            "tensor_shape": _shape(one["shape"]),
            "name": one["name"],
        }
        for one in described
    }


def _shape(sizes: list[int | None] | None) -> dict[str, Any]:
    known = [-1 if size is None else size for size in sizes or ()]
    return {"dim": [{"size": str(size), "name": ""} for size in known], "unknown_rank": sizes is None}


def _pool(web: "Web", request: Request) -> Pool:
    number = request.path_params.get("number")
    return web.service.choose(request.path_params["model"], number)


def _by_rows(instances: Any, names: list[str]) -> dict[str, Any]:
    if not isinstance(instances, list) or not instances:
        raise RequestError(HTTPStatus.BAD_REQUEST, '"instances" is a list with at least one entry')
    if all(isinstance(one, dict) and one.keys() != {B64} for one in instances):
        keys = {key for one in instances for key in one}
        if any(set(one) != keys for one in instances):
            raise RequestError(HTTPStatus.BAD_REQUEST, 'the entries of "instances" do not have the same inputs')
        return {key: _array([one[key] for one in instances], key) for key in sorted(keys)}
    return {_only(names): _array(instances, _only(names))}


def _by_columns(inputs: Any, names: list[str]) -> dict[str, Any]:
    if isinstance(inputs, dict) and inputs.keys() != {B64}:
        return {name: _array(value, name) for name, value in inputs.items()}
    return {_only(names): _array(inputs, _only(names))}


def _only(names: list[str]) -> str:
    if len(names) != 1:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"name the inputs: {', '.join(names) or 'they are not known'}")
    return names[0]


def _array(value: Any, name: str) -> Any:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"input {name} is ragged: {error}") from error
    if array.dtype.kind in "biuf":
        return array
    try:
        return array_of_texts(value)
    except ValueError as error:
        message = f"input {name} is made neither of numbers nor of text: {error}"
        raise RequestError(HTTPStatus.BAD_REQUEST, message) from error


ROUTES: list[tuple[str, str, "Endpoint"]] = [
    ("POST", "/v1/models/{model}:predict", _predict),
    ("POST", "/v1/models/{model}/versions/{number:int}:predict", _predict),
    ("GET", "/v1/models/{model}", _status),
    ("GET", "/v1/models/{model}/versions/{number:int}", _status),
    ("GET", "/v1/models/{model}/metadata", _metadata),
    ("GET", "/v1/models/{model}/versions/{number:int}/metadata", _metadata),
]
