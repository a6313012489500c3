"""Services of Caffe models."""

import glob
import os

from model_service.model_service import SingleNodeService


class CaffeBaseService(SingleNodeService):
    """A network in `self.net`, which the service fills and reads itself.

    Attributes:
        net: The network, in test mode, with the one deploy prototxt and the one caffemodel of the folder.
    """

    def __init__(self, model_name, model_path):
        super(CaffeBaseService, self).__init__(model_name, model_path)
        import caffe

        layout = _only(model_path, "*deploy*.prototxt") or _only(model_path, "*.prototxt")
        weights = _only(model_path, "*.caffemodel")
        if not layout or not weights:
            raise ValueError("%s needs one deploy prototxt and one caffemodel" % model_path)
        self.net = caffe.Net(layout, weights, caffe.TEST)

    def _inference(self, data):
        self.net.forward()
        return data

    def predict(self, inputs, outputs=None, signature=None):
        """Return the arrays of the network's outputs, by name."""
        for name, value in inputs.items():
            if name not in self.net.inputs:
                raise ValueError("the model's inputs are %s, not %s" % (", ".join(self.net.inputs), name))
            wanted = list(self.net.blobs[name].data.shape)
            if not value.shape or not value.shape[0] or list(value.shape[1:]) != wanted[1:]:  # Caffe would abort
                message = "input %s has the shape %s, and the model takes %s"
                raise ValueError(message % (name, list(value.shape), ["any number"] + wanted[1:]))
            self.net.blobs[name].reshape(*value.shape)
            self.net.blobs[name].data[...] = value
        found = self.net.forward()
        return {name: found[name].copy() for name in outputs or found}

    def describe(self):
        """Return names and shapes of the network's inputs and outputs."""
        net = self.net
        return {
            kind: [{"name": one, "dtype": "float32", "shape": list(net.blobs[one].data.shape)} for one in names]
            for kind, names in (("inputs", net.inputs), ("outputs", net.outputs))
        }


def _only(folder, pattern):
    found = sorted(glob.glob(os.path.join(folder, pattern)))
    return found[0] if len(found) == 1 else ""
