"""Services of MXNet models."""

import os

import mxnet as mx
from mlctl_model.together import by_rows
from model_service.model_service import SingleNodeService
from mxnet.io import DataBatch


class MXNetBaseService(SingleNodeService):
    """A module: `_inference` takes a list of arrays, and gives the list of its outputs.

    Args:
        model_name: Of the model.
        model_dir: Its folder.
        manifest: What is known of the files: `manifest["Model"]` has `Symbol`, `Parameters` and `Signature`, which
            tells names and shapes of inputs and outputs.
        gpu: Number of the GPU; None is the processor.

    Attributes:
        mx_model: The module, bound for one sample.
        ctx: Where it computes.
        labels: The lines of `synset.txt`, if there is such a file.
    """

    mx_model = None
    _signature = None

    def __init__(self, model_name, model_dir, manifest, gpu=None):
        super(MXNetBaseService, self).__init__(model_name, model_dir)
        self.ctx = mx.cpu() if gpu is None else mx.gpu(int(gpu))
        self._signature = manifest["Model"]["Signature"]
        shapes = [(one["data_name"], _filled(one["data_shape"])) for one in self._signature["inputs"]]
        symbol = mx.sym.load(os.path.join(model_dir, manifest["Model"]["Symbol"]))
        weights = mx.nd.load(os.path.join(model_dir, manifest["Model"]["Parameters"]))
        arguments = {name[4:]: value for name, value in weights.items() if name.startswith("arg:")}
        auxiliary = {name[4:]: value for name, value in weights.items() if name.startswith("aux:")}
        names = [name for name, _ in shapes]
        known = set(names).union(arguments)
        # They are of training, and have a row for each row of the data: they are no parameters.
        labels = [one for one in symbol.list_arguments() if one.endswith("label") and one not in known]
        self.mx_model = mx.mod.Module(symbol=symbol, context=self.ctx, data_names=names, label_names=labels)
        self._bind(shapes)
        self.mx_model.init_params(None, arguments, auxiliary, allow_missing=True, allow_extra=True)
        synset = os.path.join(model_dir, "synset.txt")
        if os.path.isfile(synset):
            with open(synset) as file:
                self.labels = [line.strip() for line in file]

    def _bind(self, shapes):
        found, _, _ = self.mx_model.symbol.infer_shape_partial(**dict(shapes))
        known = dict(zip(self.mx_model.symbol.list_arguments(), found))
        labels = [(name, known[name]) for name in self.mx_model.label_names if known[name]]
        self.mx_model.bind(for_training=False, data_shapes=shapes, label_shapes=labels or None, force_rebind=True)

    @property
    def signature(self):
        """Names and shapes of inputs and outputs."""
        return self._signature

    def _preprocess(self, data):
        return [mx.nd.array(one) for one in data]

    @by_rows
    def _inference(self, data):
        return self._computed(data)

    def _computed(self, data):
        if not self._signature.get("guessed"):
            _check(data, self._signature["inputs"])
        shapes = [(one.name, tuple(array.shape)) for one, array in zip(self.mx_model.data_shapes, data)]
        if shapes != [(one.name, tuple(one.shape)) for one in self.mx_model.data_shapes]:
            self._bind(shapes)  # by itself a module refuses another number of rows if its symbol has labels
        self.mx_model.forward(DataBatch([one.as_in_context(self.ctx) for one in data]), is_train=False)
        return self.mx_model.get_outputs()

    def _postprocess(self, data):
        return [str(one.asnumpy().tolist()) for one in data]

    def predict(self, inputs, outputs=None, signature=None):
        """Return the arrays of the module's outputs, by name."""
        names = [one["data_name"] for one in self._signature["inputs"]]
        if set(inputs) != set(names):
            raise ValueError("the model's inputs are %s, and %s came" % (", ".join(names), ", ".join(sorted(inputs))))
        try:
            found = self._computed([mx.nd.array(inputs[name]) for name in names])
            every = dict(zip(self.mx_model.output_names, (one.asnumpy() for one in found)))
        except mx.base.MXNetError as error:
            given = ", ".join("%s %s" % (name, list(inputs[name].shape)) for name in names)
            raise ValueError("the model does not take %s: %s" % (given, error))
        return {name: every[name] for name in outputs or every}

    def describe(self):
        """Return names and shapes of the module's inputs and outputs."""
        if self.mx_model is None:  # the service has loaded its model by itself
            return super(MXNetBaseService, self).describe()
        inputs = [(one["data_name"], one["data_shape"]) for one in self._signature["inputs"]]
        outputs = list(self.mx_model.output_shapes)
        return {
            "inputs": [{"name": name, "dtype": "float32", "shape": _open(shape)} for name, shape in inputs],
            "outputs": [{"name": name, "dtype": "float32", "shape": _open(shape)} for name, shape in outputs],
        }

    def ping(self):
        """Tell which MXNet is here."""
        return mx.__version__


def _filled(shape):
    return tuple([1] + [size or 1 for size in shape[1:]])


def _open(shape):
    """Return a shape for any number of samples."""
    return [-1] + list(shape[1:])


def _check(data, inputs):
    if len(data) != len(inputs):
        raise ValueError("the model takes %d arrays, and %d came" % (len(inputs), len(data)))
    for array, wanted in zip(data, inputs):
        shape = wanted["data_shape"]
        fits = len(array.shape) == len(shape) and all(
            not size or size == given for size, given in zip(shape[1:], array.shape[1:])
        )
        if not fits:
            message = "input %s has the shape %s, and the model takes %s"
            raise ValueError(message % (wanted["data_name"], list(array.shape), list(shape)))
