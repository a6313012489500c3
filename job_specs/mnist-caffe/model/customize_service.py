"""The online service of the model: an image file in, the digit and its scores out."""

import numpy as np
from model_service.caffe_model_service import CaffeBaseService
from PIL import Image

SIZE = 28  # pixels, width and height
SCALE = 1 / 256  # of the pixels, as in the training


class MnistService(CaffeBaseService):
    def _preprocess(self, data):
        """Put the one image file of the request into the network."""
        (files,) = data.values()
        (content,) = files.values()
        pixels = np.array(Image.open(content).convert("L").resize((SIZE, SIZE)), np.float32)
        self.net.blobs["data"].data[0, 0] = pixels * SCALE

    def _postprocess(self, data):
        """Turn the network's probabilities into the answer."""
        scores = self.net.blobs["prob"].data[0]
        best_first = scores.argsort()[::-1]
        return {
            "predicted_label": str(best_first[0]),
            "scores": [[str(digit), "%.4f" % scores[digit]] for digit in best_first],
        }
