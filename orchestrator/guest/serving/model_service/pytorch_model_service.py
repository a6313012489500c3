"""Services of PyTorch models."""

from mlctl_model.together import by_rows

from model_service.model_service import SingleNodeService


class PTServingBaseService(SingleNodeService):
    """A model that the service loads by itself, in its `__init__`, into `self.model`.

    Attributes:
        model_path: The file of the model, not its folder.
    """

    def __init__(self, model_name, model_path):
        super(PTServingBaseService, self).__init__(model_name, model_path)
        self.model = None

    @by_rows
    def _inference(self, data):
        if self.model is None:
            raise ValueError("%s has not put its model into self.model" % type(self).__name__)
        return {name: self._answer(name, value) for name, value in data.items()}

    def predict(self, inputs, outputs=None, signature=None):
        """Return what the model makes of each input, by the input's name."""
        import torch

        with torch.no_grad():
            found = {name: self._answer(name, torch.as_tensor(value)) for name, value in inputs.items()}
        return {name: value.numpy() for name, value in found.items()}

    def _answer(self, name, value):
        """Return what the model makes of an input. Raises ValueError, where its shape or type is not the model's."""
        try:
            return self.model(value)
        except RuntimeError as error:
            if "out of memory" in str(error):
                raise
            last = str(error).strip().rpartition("\n")[2]  # of TorchScript's, which begin with a traceback
            raise ValueError("the model does not take %s of shape %s: %s" % (name, list(value.shape), last))
