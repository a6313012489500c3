"""The Open Inference Protocol's GRPCInferenceService, and gRPC's own health check."""

from http import HTTPStatus
from typing import Any

import numpy as np

from orchestrator.serving.openinference import NAME, SERVER, TYPES, check_datatype, datatype_of, metadata_of
from orchestrator.serving.pool import Pool
from orchestrator.serving.raw import to_raw
from orchestrator.serving.replies import RequestError
from orchestrator.serving.rpc.call import Call, Method
from orchestrator.serving.rpc.tensors import from_infer, to_contents
from orchestrator.serving.texts import TEXT
from orchestrator.version import __version__

_SERVICE = "inference.GRPCInferenceService"
_SERVING, _NOT_SERVING = 1, 2  # of the health check


async def _live(call: Call, request: Any) -> dict[str, Any]:
    return {"live": True}


async def _ready(call: Call, request: Any) -> dict[str, Any]:
    return {"ready": call.front.service.ready}


async def _health(call: Call, request: Any) -> dict[str, Any]:
    return {"status": _SERVING if call.front.service.ready else _NOT_SERVING}


async def _model_ready(call: Call, request: Any) -> dict[str, Any]:
    return {"ready": _pool(call, request.name, request.version).ready}


async def _server(call: Call, request: Any) -> dict[str, Any]:
    return {"name": SERVER, "version": __version__}


async def _metadata(call: Call, request: Any) -> dict[str, Any]:
    return metadata_of(call.front.service, _pool(call, request.name, request.version))


async def _infer(call: Call, request: Any) -> dict[str, Any]:
    pool = _pool(call, request.model_name, request.model_version)
    raw = list(request.raw_input_contents)
    if raw and len(raw) != len(request.inputs):
        message = f"there are {len(request.inputs)} inputs, and the raw contents of {len(raw)}"
        raise RequestError(HTTPStatus.BAD_REQUEST, message)
    inputs = {}
    for index, one in enumerate(request.inputs):
        check_datatype(one.name, one.datatype)
        inputs[one.name] = from_infer(one, TYPES.get(one.datatype, TEXT), raw[index] if raw else None)
    question = {"do": "predict", "inputs": inputs, "outputs": [one.name for one in request.outputs] or None}
    found = await call.ask(pool, question, NAME, shadowed=not request.model_version)
    arrays = {name: np.asarray(value) for name, value in found.items()}
    answer = {"model_name": pool.deployed.model, "model_version": str(pool.deployed.number), "id": request.id}
    tensors = [
        {"name": name, "datatype": datatype_of(value), "shape": list(value.shape)} for name, value in arrays.items()
    ]
    if raw:
        return answer | {"outputs": tensors, "raw_output_contents": [to_raw(value) for value in arrays.values()]}
    contents = [{"contents": to_contents(value)} for value in arrays.values()]
    return answer | {"outputs": [one | more for one, more in zip(tensors, contents, strict=True)]}


def _pool(call: Call, model: str, version: str) -> Pool:
    if version and not version.isdecimal():
        raise RequestError(HTTPStatus.BAD_REQUEST, f"version {version!r} is not a number")
    return call.front.service.choose(model, int(version) if version else None)


METHODS: list[Method] = [
    (_SERVICE, "ServerLive", "ServerLiveRequest", "ServerLiveResponse", _live),
    (_SERVICE, "ServerReady", "ServerReadyRequest", "ServerReadyResponse", _ready),
    (_SERVICE, "ModelReady", "ModelReadyRequest", "ModelReadyResponse", _model_ready),
    (_SERVICE, "ServerMetadata", "ServerMetadataRequest", "ServerMetadataResponse", _server),
    (_SERVICE, "ModelMetadata", "ModelMetadataRequest", "ModelMetadataResponse", _metadata),
    (_SERVICE, "ModelInfer", "ModelInferRequest", "ModelInferResponse", _infer),
    ("grpc.health.v1.Health", "Check", "HealthCheckRequest", "HealthCheckResponse", _health),
]
OPEN = {f"/{_SERVICE}/ServerLive", f"/{_SERVICE}/ServerReady", "/grpc.health.v1.Health/Check"}  # without a token
