"""TensorFlow Serving's PredictionService and ModelService."""

from http import HTTPStatus
from typing import Any

import numpy as np

from orchestrator.serving.pool import Pool
from orchestrator.serving.replies import RequestError
from orchestrator.serving.rpc.call import Call, Method
from orchestrator.serving.rpc.messages import message
from orchestrator.serving.rpc.tensors import from_tensor, number_of, shape_of, to_tensor
from orchestrator.serving.tfserving import METHOD, NAME, signature_of, signatures_of

_ANY = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
_AVAILABLE, _LOADING = 30, 20  # states of a version
_FIELD = "signature_def"
_INFO, _SIGNATURE, _MAP = message("TensorInfo"), message("SignatureDef"), message("SignatureDefMap")


async def _predict(call: Call, request: Any) -> dict[str, Any]:
    pool = _pool(call, request)
    question = {
        "do": "predict",
        "inputs": {name: from_tensor(name, tensor) for name, tensor in request.inputs.items()},
        "outputs": list(request.output_filter) or None,
        "signature": request.model_spec.signature_name or None,
    }
    outputs = await call.ask(pool, question, NAME, shadowed=not request.model_spec.HasField("version"))
    found = {name: to_tensor(np.asarray(value)) for name, value in outputs.items()}
    return {"outputs": found, "model_spec": _spec(pool, request.model_spec.signature_name)}


async def _metadata(call: Call, request: Any) -> dict[str, Any]:
    pool = _pool(call, request)
    if list(request.metadata_field) != [_FIELD]:
        raise RequestError(HTTPStatus.BAD_REQUEST, f'metadata_field is ["{_FIELD}"]: there is nothing else to be had')
    known = _MAP(
        signature_def={
            name: _SIGNATURE(**{side: _infos(one.get(side, [])) for side in ("inputs", "outputs")}, method_name=METHOD)
            for name, one in signatures_of(pool).items()
        }
    )
    return {
        "model_spec": _spec(pool, ""),
        "metadata": {_FIELD: message("Any")(type_url=_ANY, value=known.SerializeToString())},
    }


def _infos(described: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        one["name"]: _INFO(name=one["name"], dtype=number_of(one["dtype"]), tensor_shape=shape_of(one["shape"]))
        for one in described
    }


async def _status(call: Call, request: Any) -> dict[str, Any]:
    pools = [_pool(call, request)]
    if not request.model_spec.HasField("version"):
        pools = [one for one in call.front.service.pools if one.deployed.model == pools[0].deployed.model]
    return {
        "model_version_status": [
            {
                "version": one.deployed.number,
                "state": _AVAILABLE if one.ready else _LOADING,
                "status": {"error_message": one.problem},
            }
            for one in pools
        ]
    }


def _pool(call: Call, request: Any) -> Pool:
    spec = request.model_spec
    if spec.version_label:
        message = f"there is no version {spec.version_label!r}: versions have numbers"
        raise RequestError(HTTPStatus.NOT_FOUND, message)
    return call.front.service.choose(spec.name, spec.version.value if spec.HasField("version") else None)


def _spec(pool: Pool, signature: str) -> dict[str, Any]:
    number = message("Int64Value")(value=pool.deployed.number)
    return {"name": pool.deployed.model, "version": number, "signature_name": signature or signature_of(pool)}


METHODS: list[Method] = [
    ("tensorflow.serving.PredictionService", "Predict", "PredictRequest", "PredictResponse", _predict),
    (
        "tensorflow.serving.PredictionService",
        "GetModelMetadata",
        "GetModelMetadataRequest",
        "GetModelMetadataResponse",
        _metadata,
    ),
    ("tensorflow.serving.ModelService", "GetModelStatus", "GetModelStatusRequest", "GetModelStatusResponse", _status),
]
