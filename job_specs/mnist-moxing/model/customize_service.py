"""The online service of the model: an image file in, the digit and its scores out."""

import numpy as np
from model_service.tfserving_model_service import TfServingBaseService
from PIL import Image

SIZE = 28  # pixels, width and height


class MnistService(TfServingBaseService):
    def _preprocess(self, data):
        """Turn each image file into an array like those of the training."""
        images = [self._to_array(file) for files in data.values() for file in files.values()]
        return {"images": np.stack(images)}

    def _postprocess(self, data):
        """Turn the network's logits into the answer."""
        logits = np.array(data["logits"][0])
        scores = np.exp(logits - logits.max())
        scores /= scores.sum()
        best_first = scores.argsort()[::-1]
        return {
            "predicted_label": str(best_first[0]),
            "scores": [[str(digit), "%.4f" % scores[digit]] for digit in best_first],
        }

    @staticmethod
    def _to_array(file):
        image = Image.open(file).convert("L").resize((SIZE, SIZE))
        return np.asarray(image, np.float32).reshape(SIZE * SIZE) / 255
