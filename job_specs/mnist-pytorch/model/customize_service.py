"""The online service of the model: an image file in, the digit and its scores out."""

import os
import sys

import numpy as np
import torch
from model_service.pytorch_model_service import PTServingBaseService
from PIL import Image

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # network.py lies beside this file
from network import DigitNetwork  # noqa: E402

SIZE = 28  # pixels, width and height


class MnistService(PTServingBaseService):
    def __init__(self, model_name, model_path):
        super().__init__(model_name, model_path)
        self.model = DigitNetwork()
        self.model.load_state_dict(torch.load(model_path, map_location="cpu"))
        self.model.eval()

    def _preprocess(self, data):
        """Turn the one image file of the request into an array like those of the training."""
        (files,) = data.values()
        (content,) = files.values()
        pixels = np.array(Image.open(content).convert("L").resize((SIZE, SIZE)), np.float32)
        return torch.from_numpy(pixels / 255).reshape(1, 1, SIZE, SIZE)

    @torch.no_grad()
    def _inference(self, data):
        return self.model(data).softmax(1)[0]

    def _postprocess(self, data):
        """Turn the network's probabilities into the answer."""
        best_first = data.argsort(descending=True).tolist()
        return {
            "predicted_label": str(best_first[0]),
            "scores": [[str(digit), "%.4f" % data[digit]] for digit in best_first],
        }
