"""The OpenAPI document that a service publishes: what can be asked over HTTP, and what comes back."""

from http import HTTPStatus
from typing import Any

from orchestrator.serving.openinference import BINARY, BYTES, TYPES
from orchestrator.serving.service import Service
from orchestrator.version import __version__

_JSON = "application/json"
_ERRORS = (400, 401, 404, 408, 413, 422, 500, 503, 504)
_PROBLEM = {
    "type": "object",
    "required": ["erno", "msg", "words_result"],
    "properties": {"erno": {"type": "string"}, "msg": {"type": "string"}, "words_result": {"type": "object"}},
}
_ANY_OBJECT: dict[str, Any] = {"type": "object"}
_FORM = {"type": "object", "additionalProperties": {"type": "string", "format": "binary"}, "minProperties": 1}
_PREDICT = {
    "type": "object",
    "properties": {
        "signature_name": {"type": ["string", "null"]},
        "instances": {"type": "array", "minItems": 1},
        "inputs": {"type": ["array", "object", "number", "boolean", "string"]},
    },
    "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
}


def _binary(key: str) -> dict[str, Any]:
    return {"type": "object", "properties": {key: {"type": "boolean"}}}


_INFER = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "inputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "shape", "datatype", "data"],
                "properties": {
                    "name": {"type": "string"},
                    "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                    "datatype": {"enum": [*TYPES, BYTES]},
                    "data": {"type": "array"},
                    "parameters": {"type": "object"},
                },
            },
        },
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "parameters": _binary("binary_data")},
            },
        },
        "parameters": _binary("binary_data_output"),
    },
}


def document(service: Service) -> dict[str, Any]:
    """Return the document of a service, with the names of its models."""
    infer = _post("infer", "Ask the package's own service, as in ModelArts", {_JSON: {}, "multipart/form-data": _FORM})
    name = service.settings.name
    paths: dict[str, Any] = {
        "/": {"post": infer},
        f"/v1/infers/{name}": {"post": infer | {"operationId": "inferById"}},
        "/health": {"get": _get("health", "Whether the service lives", is_open=True)},
        "/ready": {"get": _get("ready", "Whether every version with requests could answer", is_open=True)},
        "/service": {"get": _get("service", "Versions and their shares")},
        "/v2": {"get": _get("server", "What the server is")},
        "/v2/health/live": {"get": _get("live", "Whether the service lives", is_open=True)},
        "/v2/health/ready": {"get": _get("readyV2", "As /ready", is_open=True)},
    }
    inference = _post("", "Open Inference Protocol 2", {_JSON: _INFER})
    inference["responses"]["200"]["content"][BINARY] = {}
    for model in sorted({pool.deployed.model for pool in service.pools}):
        tensorflow, open_inference = f"/v1/models/{model}", f"/v2/models/{model}"
        paths |= {
            f"{tensorflow}:predict": {
                "post": _post(f"predict-{model}", "TensorFlow Serving's REST", {_JSON: _PREDICT})
            },
            tensorflow: {"get": _get(f"status-{model}", "State of a version")},
            f"{tensorflow}/metadata": {"get": _get(f"metadata-{model}", "Inputs and outputs")},
            f"{open_inference}/infer": {"post": inference | {"operationId": f"infer-{model}"}},
            open_inference: {"get": _get(f"metadataV2-{model}", "Inputs and outputs")},
            f"{open_inference}/ready": {"get": _get(f"ready-{model}", "Whether a version could answer")},
        }
    schemes = {
        "X-Auth-Token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
        "X-Apig-AppCode": {"type": "apiKey", "in": "header", "name": "X-Apig-AppCode"},
        "Bearer": {"type": "http", "scheme": "bearer"},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": f"mlctl service {name}", "version": __version__},
        "paths": paths,
        "components": {"securitySchemes": schemes},
        "security": [{scheme: []} for scheme in schemes] if service.settings.tokens else [],
    }


def _get(identity: str, summary: str, *, is_open: bool = False) -> dict[str, Any]:
    operation = {"operationId": identity, "summary": summary, "responses": _responses(_ANY_OBJECT)}
    return operation | ({"security": []} if is_open else {})


def _post(identity: str, summary: str, bodies: dict[str, Any]) -> dict[str, Any]:
    content = {kind: {"schema": schema} for kind, schema in bodies.items()}
    body = {"required": True, "content": content}
    return {"operationId": identity, "summary": summary, "requestBody": body, "responses": _responses({})}


def _responses(good: dict[str, Any]) -> dict[str, Any]:
    problems = {
        str(status): {"description": HTTPStatus(status).phrase, "content": {_JSON: {"schema": _PROBLEM}}}
        for status in _ERRORS
    }
    return {"200": {"description": "The answer", "content": {_JSON: {"schema": good}}}, **problems}
