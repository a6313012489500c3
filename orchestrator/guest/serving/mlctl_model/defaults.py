"""Services for packages that have no customize_service.py: pictures or numbers in, the model's outputs out."""

import io

from mlctl_model.together import by_rows


def service_for(kind):
    """Return the default service's class for a kind of model; None if there is none."""
    if kind == "TensorFlow":
        from model_service.tfserving_model_service import TfServingBaseService as base
    elif kind == "Caffe":
        from model_service.caffe_model_service import CaffeBaseService as base
    elif kind == "MXNet":
        from mms.model_service.mxnet_model_service import MXNetBaseService as base
    elif kind == "PyTorch":
        return _pytorch()
    elif kind in ("Scikit_Learn", "XGBoost"):
        from model_service.python_model_service import XgSklServingBaseService

        return XgSklServingBaseService
    else:
        return None
    return type("DefaultService", (_Default, base), {})


class _Default(object):
    """Takes JSON `{input: numbers}`, or files of pictures under the inputs' names, and gives `{output: numbers}`.

    Several files of one field are as many rows.
    """

    def _preprocess(self, data):
        described = self.describe()
        wanted = {one["name"]: one for one in described["inputs"]}
        given = _fields(data)
        if len(wanted) == 1 and isinstance(data, list) and all(isinstance(one, _Files) for one in given.values()):
            given = {0: _Files(one for files in given.values() for one in files)}
        if len(wanted) == 1 and len(given) == 1:  # whatever the client calls it
            given = dict(zip(wanted, given.values()))
        unknown = sorted(set(given) - set(wanted))
        if unknown or not given:
            raise ValueError(
                "the model's inputs are %s, and %s came" % (", ".join(wanted), ", ".join(given) or "nothing")
            )
        return {name: _array(value, wanted[name]) for name, value in given.items()}

    @by_rows
    def _inference(self, data):
        return self.predict(data)

    def _postprocess(self, data):
        return {name: value.tolist() for name, value in data.items()}


class _Files(list):
    """What is in the files of a field: each is a row."""


def _fields(data):
    """Return what was sent, by field: files, or numbers."""
    if isinstance(data, dict):
        return {name: _content(value) for name, value in data.items()}
    return {index: _Files([one]) if _is_bytes(one) else one for index, one in enumerate(data)}  # as for MXNet


def _content(value):
    if isinstance(value, dict) and value and all(hasattr(one, "read") for one in value.values()):
        return _Files(one.read() for one in value.values())
    return value


def _is_bytes(value):
    return isinstance(value, (bytes, bytearray, memoryview))


def _array(value, wanted):
    import numpy as np

    if isinstance(value, _Files):
        return np.concatenate([_array(one, wanted) for one in value])
    shape = [size if size and size > 0 else 1 for size in (wanted["shape"] or [1])[1:]]
    is_file = _is_bytes(value)
    if is_file and wanted["dtype"] == "object":  # the model reads files by itself
        return np.array([bytes(value)], dtype=object)
    array = (_picture(bytes(value), shape) if is_file else np.asarray(value)).astype(wanted["dtype"])
    if list(array.shape) == shape:
        return array[np.newaxis]
    if list(array.shape[1:]) == shape:
        return array
    if array.size % max(1, int(np.prod(shape))):
        raise ValueError("%s takes the shape %s, and %s came" % (wanted["name"], shape, list(array.shape)))
    return array.reshape([-1] + shape)


def _picture(data, shape):
    """Return a picture as an array of the given shape; its values are those of its pixels, 0 to 255."""
    import numpy as np

    if len(shape) == 3:
        first = shape[0] in (1, 3)
        channels, height, width = shape if first else (shape[2], shape[0], shape[1])
        array = _pixels(data, channels, height, width)
        return array.transpose(2, 0, 1) if first else array
    side = int(round(float(np.prod(shape)) ** 0.5))
    return _pixels(data, 1, side, side).reshape(shape)


def _pixels(data, channels, height, width):
    """Return a picture's pixels (height, width, channels), by whatever the engine has to read it."""
    import numpy as np

    try:
        from PIL import Image
    except ImportError:
        import mxnet as mx

        array = mx.image.imresize(mx.image.imdecode(data, flag=int(channels == 3)), width, height)
        return array.asnumpy().reshape(height, width, channels)
    picture = Image.open(io.BytesIO(data)).convert("L" if channels == 1 else "RGB").resize((width, height))
    return np.asarray(picture).reshape(height, width, channels)


def _pytorch():
    import torch
    from model_service.pytorch_model_service import PTServingBaseService
    from PIL import Image

    class DefaultService(PTServingBaseService):
        """A TorchScript module, or a whole pickled one."""

        def __init__(self, model_name, model_path):
            super(DefaultService, self).__init__(model_name, model_path)
            try:
                self.model = torch.jit.load(model_path, map_location="cpu")
            except RuntimeError:
                self.model = torch.load(model_path, map_location="cpu", weights_only=False)
            if not callable(self.model):
                message = "%s holds weights alone: a customize_service.py has to make the model that they are for"
                raise ValueError(message % model_path)
            self.model.eval()

        def _preprocess(self, data):
            return {name: self._tensor(value) for name, value in _fields(data).items()}

        def _tensor(self, value):
            if isinstance(value, _Files):
                return torch.cat([torch.as_tensor(self._seen(bytes(one)), dtype=torch.float32) for one in value])
            return torch.as_tensor(value, dtype=torch.float32)

        def _seen(self, data):
            """Return a picture as the first layer takes it: in one row, or with channels in its own size."""
            weights = [one for one in self.model.parameters() if one.dim() in (2, 4)]
            if not weights:
                raise ValueError("the model has no layer that tells what pictures it takes: send numbers")
            if weights[0].dim() == 2:
                return _picture(data, [weights[0].shape[1]])[None].copy()
            width, height = Image.open(io.BytesIO(data)).size
            return _picture(data, [weights[0].shape[1], height, width])[None].copy()

        @by_rows
        def _inference(self, data):
            with torch.no_grad():
                return super(DefaultService, self)._inference(data)

        def _postprocess(self, data):
            return {name: value.tolist() for name, value in data.items()}

    return DefaultService
