"""What all services have in common: data goes through `_preprocess`, `_inference` and `_postprocess`."""


class BaseService(object):
    """A loaded model that answers."""

    def __init__(self, model_name, model_path):
        self.model_name = model_name
        self.model_path = model_path

    def _preprocess(self, data):
        return data

    def _inference(self, data):
        raise NotImplementedError("%s has no _inference" % type(self).__name__)

    def _postprocess(self, data):
        return data

    def inference(self, data):
        """Return the answer to one request."""
        return self._postprocess(self._inference(self._preprocess(data)))

    def ping(self):
        """Tell that the model is there."""

    def describe(self):
        """Return names of the model's inputs and outputs, as far as they are known, with types and shapes."""
        return {"inputs": [], "outputs": []}

    def predict(self, inputs, outputs=None, signature=None):
        """Return arrays for arrays, by name, without the service's own steps before and after."""
        raise NotImplementedError("a model of this kind is only asked through its service")


class SingleNodeService(BaseService):
    """A service that loads its model by itself."""
