"""Optimizers by name."""

from moxing.tensorflow.v1 import tf

_BY_NAME = {
    "adadelta": "AdadeltaOptimizer",
    "adagrad": "AdagradOptimizer",
    "adam": "AdamOptimizer",
    "ftrl": "FtrlOptimizer",
    "momentum": "MomentumOptimizer",
    "rmsprop": "RMSPropOptimizer",
    "sgd": "GradientDescentOptimizer",
}
_DEFAULTS = {"momentum": {"momentum": 0.9}}


def get_optimizer_fn(name, learning_rate, **options):
    """Return a function that makes an optimizer, in the graph that is current when it is called.

    Args:
        name: adadelta, adagrad, adam, ftrl, momentum, rmsprop or sgd.
        learning_rate: A number, or a function that returns a number or a tensor.
        options: Of TensorFlow's optimizer, as in `momentum=0.9`.

    Raises:
        ValueError: There is no such optimizer.
    """
    if name not in _BY_NAME:
        raise ValueError("there is no optimizer %r; known: %s" % (name, ", ".join(sorted(_BY_NAME))))

    def optimizer_fn(**_):
        rate = learning_rate() if callable(learning_rate) else learning_rate
        return getattr(tf.train, _BY_NAME[name])(rate, **dict(_DEFAULTS.get(name, {}), **options))

    return optimizer_fn
