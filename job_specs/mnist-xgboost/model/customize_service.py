"""The online service of the model: an image file in, the digit and its scores out."""

import numpy as np
import xgboost
from model_service.python_model_service import XgSklServingBaseService
from PIL import Image

SIZE = 28  # pixels, width and height


class MnistService(XgSklServingBaseService):
    def __init__(self, model_name, model_path):
        super().__init__(model_name, model_path)
        with open(model_path, "rb") as file:
            self.model = xgboost.Booster(model_file=bytearray(file.read()))

    def _preprocess(self, data):
        """Turn the one image file of the request into a row like those of the training."""
        (files,) = data.values()
        (content,) = files.values()
        pixels = np.array(Image.open(content).convert("L").resize((SIZE, SIZE)), np.float32)
        return pixels.reshape(1, SIZE * SIZE)

    def _inference(self, data):
        return self.model.inplace_predict(data)[0]

    def _postprocess(self, data):
        """Turn the trees' probabilities into the answer."""
        best_first = data.argsort()[::-1].tolist()
        return {
            "predicted_label": str(best_first[0]),
            "scores": [[str(digit), "%.4f" % data[digit]] for digit in best_first],
        }
