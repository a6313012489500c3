"""The base class of services of SavedModels whose model is in TensorFlow Serving, beside this process.

It speaks the REST protocol (https://www.tensorflow.org/tfx/serving/api_rest): this Python needs no TensorFlow.
"""

import base64
import json
import os
import time
import urllib.error
import urllib.request

import numpy as np
from model_service.model_service import SingleNodeService

from mlctl_model.together import by_rows

ADDRESS = "MLCTL_TFSERVING"  # variable: port and path of the version, as in `8501/v1/models/digits/versions/3`
DEFAULT_SIGNATURE = "serving_default"
POLL = 0.1  # seconds
TIMEOUT = 600.0  # seconds
AVAILABLE, END = "AVAILABLE", "END"  # states
_INIT = "__saved_model_init_op"  # name of a signature that is none
# Those of NumPy whose names are not TensorFlow's own in lower case.
_KINDS = {"float": "float32", "double": "float64", "half": "float16", "bfloat16": "float32", "string": "object"}


class TfServingBaseService(SingleNodeService):
    """As that of model_service.tfserving_model_service, with the same methods."""

    def __init__(self, model_name, model_path):
        super().__init__(model_name, model_path)
        host = os.environ.get("MLCTL_LISTEN") or "127.0.0.1"
        self._url = "http://%s:%s" % (host, os.environ[ADDRESS])
        self._await()
        told = _ask(self._url + "/metadata")["metadata"]["signature_def"]["signature_def"]
        self._signatures = {name: one for name, one in told.items() if name != _INIT}
        if not self._signatures:
            raise ValueError("the SavedModel has no signature, so nothing can be asked of it")

    @by_rows
    def _inference(self, data):
        return {name: value.tolist() for name, value in self.predict(data).items()}

    def predict(self, inputs, outputs=None, signature=None):
        """Return the arrays of a signature's outputs, by name."""
        name = self._signature(inputs, signature)
        takes, gives = (_tensors(self._signatures[name][side]) for side in ("inputs", "outputs"))
        if set(inputs) != set(takes):
            message = "the model's inputs are %s, and %s came"
            raise ValueError(message % (", ".join(sorted(takes)), ", ".join(sorted(inputs)) or "nothing"))
        sent = {one: _plain(np.asarray(value, dtype=takes[one]["dtype"])) for one, value in inputs.items()}
        found = _ask(self._url + ":predict", {"signature_name": name, "inputs": sent})["outputs"]
        if len(gives) == 1:  # it is not named then
            found = dict.fromkeys(gives, found)
        return {one: _array(found[one], gives[one]["dtype"]) for one in outputs or sorted(gives)}

    def describe(self):
        """Return names, types and shapes of the inputs and outputs of the signature that is used, and of all."""
        every = {name: _sides(one) for name, one in self._signatures.items()}
        return dict(every[self._signature({}, None)], signatures=every)

    def _await(self):
        """Return when the version can be asked. Raises ValueError if it never will."""
        deadline = time.time() + TIMEOUT
        while time.time() < deadline:
            try:
                (state,) = _ask(self._url)["model_version_status"]
            except (EnvironmentError, ValueError):  # it has not started, or not heard of the version
                state = {}
            if state.get("state") == AVAILABLE:
                return
            if state.get("state") == END:
                raise ValueError("TensorFlow Serving has not loaded it: %s" % state["status"]["error_message"])
            time.sleep(POLL)
        raise ValueError("TensorFlow Serving does not answer at %s" % self._url)

    def _signature(self, inputs, name):
        """Return the name of a signature; without one that which takes these inputs, the default one first."""
        if name:
            if name not in self._signatures:
                known = ", ".join(sorted(self._signatures))
                raise ValueError("the model has no signature %r; it has %s" % (name, known))
            return name
        order = sorted(self._signatures, key=lambda one: (one != DEFAULT_SIGNATURE, one))
        fitting = [one for one in order if set(self._signatures[one]["inputs"]) == set(inputs)]
        return (fitting or order)[0]


def _ask(url, document=None):
    data = None if document is None else json.dumps(document).encode("utf-8")
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=TIMEOUT) as answer:
            return json.loads(answer.read().decode("utf-8"))
    except urllib.error.HTTPError as error:
        said = error.read().decode("utf-8", "replace")
        try:
            said = json.loads(said)["error"]
        except (ValueError, KeyError, TypeError):
            pass  # it is not in the protocol's form
        raise ValueError("TensorFlow Serving: %s" % said)


def _sides(signature):
    told = {side: _tensors(signature[side]) for side in ("inputs", "outputs")}
    return {side: [dict(each[name], name=name) for name in sorted(each)] for side, each in told.items()}


def _tensors(told):
    """Return type and shape of tensors by their names, from the protocol's own."""
    found = {}
    for name, one in told.items():
        kind = one["dtype"][len("DT_") :].lower()
        shape = one.get("tensor_shape", {})
        sizes = None if shape.get("unknown_rank") else [int(dim["size"]) for dim in shape.get("dim", [])]
        found[name] = {"dtype": _KINDS.get(kind, kind), "shape": sizes}
    return found


def _array(value, kind):
    return np.asarray(_decoded(value) if kind == "object" else value, dtype=kind)


def _decoded(value):
    """Return nested lists of text with the bytes that the protocol's objects stand for."""
    if isinstance(value, list):
        return [_decoded(one) for one in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def _plain(value):
    """Return an array as the protocol has it: bytes are objects of their own."""
    if value.dtype.kind not in "OS":
        return value.tolist()
    if value.ndim:
        return [_plain(one) if isinstance(one, np.ndarray) else _text(one) for one in value]
    return _text(value.item())


def _text(value):
    return {"b64": base64.b64encode(value).decode("ascii")} if isinstance(value, bytes) else value
