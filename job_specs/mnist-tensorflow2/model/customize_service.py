"""The online service of the model: an image file in, the digit and its scores out."""

import numpy as np
from model_service.tfserving_model_service import TfServingBaseService
from PIL import Image

SIZE = 28  # pixels, width and height


class MnistService(TfServingBaseService):
    def _preprocess(self, data):
        """Turn the one image file of the request into a row like those of the training."""
        (files,) = data.values()
        (content,) = files.values()
        pixels = np.array(Image.open(content).convert("L").resize((SIZE, SIZE)), np.float32)
        return {"images": pixels.reshape(1, SIZE * SIZE) / 255}

    def _postprocess(self, data):
        """Turn the network's probabilities into the answer."""
        scores = data["probabilities"][0]
        best_first = sorted(range(len(scores)), key=lambda digit: -scores[digit])
        return {
            "predicted_label": str(best_first[0]),
            "scores": [[str(digit), "%.4f" % scores[digit]] for digit in best_first],
        }
