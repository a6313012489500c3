"""TensorFlow 1's names on TensorFlow 2 (`compat: tf1` in the job's YAML).

`tensorflow.compat.v1` is laid over `tensorflow`, as after `import tensorflow.compat.v1 as tf;
tf.disable_v2_behavior()`. `tf.keras` and `tf.layers` are the copies of that time which TensorFlow 2 carries inside:
Keras 3 does not work in graphs. Of `tf.contrib` there are the few names that small scripts use.
"""

import importlib
import sys
import types

_KERAS = "tensorflow.python.keras"
_KERAS_PARTS = (
    "activations",
    "backend",
    "callbacks",
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
    "utils",
)
_LAYERS = ("core", "convolutional", "pooling")
_OWN = ("compat", "contrib", "estimator", "keras", "layers")  # of compat.v1, these need Keras 3 or are not there


def overlay(tensorflow):
    """Lay the names of version 1 over a module of version 2; version 1 stays as it is."""
    if tensorflow.__version__.startswith("1."):
        return
    v1 = tensorflow.compat.v1
    v1.disable_v2_behavior()
    for name in dir(v1):
        if not name.startswith("_") and name not in _OWN:
            setattr(tensorflow, name, getattr(v1, name))
    tensorflow.parse_example = _parse_example(v1)
    from mlctl_compat import contrib

    _put(tensorflow, "keras", _keras())
    _put(tensorflow, "layers", _layers())
    _put(tensorflow, "contrib", contrib.module())


def _parse_example(v1):
    def parse_example(serialized, features, name=None, example_names=None):
        """Parse a vector of examples: TensorFlow 2 takes any shape, and so leaves open what comes out."""
        if isinstance(serialized, v1.Tensor) and serialized.shape.rank is None:
            serialized.set_shape([None])
        return v1.parse_example(serialized, features, name=name, example_names=example_names)

    return parse_example


def _keras():
    keras = lacking("tf.keras")
    for name in _KERAS_PARTS:
        setattr(keras, name, importlib.import_module(_KERAS + "." + name))
    keras.Model, keras.Sequential, keras.Input = keras.models.Model, keras.models.Sequential, keras.layers.Input
    return keras


def _layers():
    layers = lacking("tf.layers")
    for name in _LAYERS:
        part = importlib.import_module(_KERAS + ".legacy_tf_layers." + name)
        for public in dir(part):
            value = getattr(part, public)
            if not public.startswith("_") and getattr(value, "__module__", "").startswith(_KERAS):
                setattr(layers, public, value)
    return layers


def lacking(name):
    """Return an empty module that says of what it lacks where that can be had."""

    def missing(attribute):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        message = "%s.%s is not among what compat: tf1 brings to TensorFlow 2; the engine tensorflow-1.15 has all of it"
        raise AttributeError(message % (name, attribute))

    module = types.ModuleType(name.replace("tf.", "tensorflow.", 1))
    module.__getattr__ = missing
    module.__path__ = []
    return module


def _put(tensorflow, name, module):
    """Make a module an attribute, and let `import tensorflow.NAME` find it and its parts."""
    setattr(tensorflow, name, module)
    waiting = [("tensorflow." + name, module)]
    while waiting:
        path, found = waiting.pop()
        sys.modules[path] = found
        parts = vars(found).items()
        waiting += [(path + "." + part, value) for part, value in parts if _is_part(found, value)]


def _is_part(module, value):
    return (
        isinstance(value, types.ModuleType) and hasattr(module, "__path__") and not module.__name__.startswith(_KERAS)
    )
