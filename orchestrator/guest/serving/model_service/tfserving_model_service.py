"""Services of SavedModels, written by TensorFlow 1 or 2."""

import os

import numpy as np
from mlctl_model.together import by_rows

from model_service.model_service import SingleNodeService

SERVE = "serve"  # the tag that a SavedModel for serving has
DEFAULT_SIGNATURE = "serving_default"
_INIT = "__saved_model_init_op"  # name of a signature that is none


def _tensorflow():
    import tensorflow

    return tensorflow.compat.v1 if hasattr(tensorflow, "compat") and hasattr(tensorflow.compat, "v1") else tensorflow


class TfServingBaseService(SingleNodeService):
    """A SavedModel: `_inference` takes a dict of arrays by input name, and gives a dict of lists by output name.

    Attributes:
        model_name: Of the model.
        model_path: The folder of the SavedModel.
    """

    _session = None
    _signatures = None

    def __init__(self, model_name, model_path):
        super(TfServingBaseService, self).__init__(model_name, model_path)
        tf = _tensorflow()
        self._session = tf.Session(graph=tf.Graph(), config=tf.ConfigProto(allow_soft_placement=True))
        with self._session.graph.as_default():
            loaded = tf.saved_model.loader.load(self._session, [SERVE], model_path)
        self._signatures = {name: one for name, one in loaded.signature_def.items() if name != _INIT}
        if not self._signatures:
            raise ValueError("the SavedModel in %s has no signature, so nothing can be asked of it" % model_path)

    @by_rows
    def _inference(self, data):
        found = self.predict(data)
        return {name: value.tolist() for name, value in found.items()}

    def predict(self, inputs, outputs=None, signature=None):
        """Return the arrays of a signature's outputs, by name."""
        chosen = self._signature(inputs, signature)
        unknown = sorted(set(inputs) - set(chosen.inputs))
        missing = sorted(set(chosen.inputs) - set(inputs))
        if unknown or missing:
            message = "the model's inputs are %s, and %s came"
            raise ValueError(message % (_names(chosen.inputs), _names(inputs) or "nothing"))
        wanted = {name: chosen.outputs[name].name for name in outputs or sorted(chosen.outputs)}
        tf = _tensorflow()
        fed = {}
        for name, value in inputs.items():
            kind = tf.DType(chosen.inputs[name].dtype).as_numpy_dtype
            fed[chosen.inputs[name].name] = np.asarray(value, dtype=kind)
        return self._session.run(wanted, feed_dict=fed)

    def describe(self):
        """Return names, types and shapes of the inputs and outputs of the signature that is used, and of all."""
        if self._signatures is None:  # the service has loaded its model by itself
            return super(TfServingBaseService, self).describe()
        return dict(_sides(self._signature({}, None)), signatures={k: _sides(v) for k, v in self._signatures.items()})

    def _signature(self, inputs, name):
        """Return the signature of that name; without one that which takes these inputs, the default one first."""
        if name:
            if name not in self._signatures:
                raise ValueError("the model has no signature %r; it has %s" % (name, _names(self._signatures)))
            return self._signatures[name]
        order = sorted(self._signatures, key=lambda one: (one != DEFAULT_SIGNATURE, one))
        fitting = [one for one in order if set(self._signatures[one].inputs) == set(inputs)]
        return self._signatures[(fitting or order)[0]]


def _sides(signature):
    return {
        "inputs": [_described(name, signature.inputs[name]) for name in sorted(signature.inputs)],
        "outputs": [_described(name, signature.outputs[name]) for name in sorted(signature.outputs)],
    }


def _described(name, info):
    tf = _tensorflow()
    shape = None if info.tensor_shape.unknown_rank else [dim.size for dim in info.tensor_shape.dim]
    return {"name": name, "dtype": np.dtype(tf.DType(info.dtype).as_numpy_dtype).name, "shape": shape}


def _names(names):
    return ", ".join(sorted(names))


if os.environ.get("MLCTL_TFSERVING"):  # the model is in TensorFlow Serving, beside this process
    from mlctl_model.model_server import TfServingBaseService
