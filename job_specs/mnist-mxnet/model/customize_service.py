"""The online service of the model: an image file in, the digit and its scores out."""

import mxnet as mx
from mms.model_service.mxnet_model_service import MXNetBaseService

SIZE = 28  # pixels, width and height
GREY = 0  # imdecode's flag for one channel


class MnistService(MXNetBaseService):
    def _preprocess(self, data):
        """Turn each image file (bytes) into an array like those of the training."""
        return [self._to_array(content) for content in data]

    def _postprocess(self, data):
        """Turn the network's probabilities into the answer."""
        scores = data[0].asnumpy()[0]
        best_first = scores.argsort()[::-1]
        return {
            "predicted_label": str(best_first[0]),
            "scores": [[str(digit), "%.4f" % scores[digit]] for digit in best_first],
        }

    @staticmethod
    def _to_array(content):
        image = mx.image.imresize(mx.image.imdecode(content, flag=GREY), SIZE, SIZE)
        # MNISTIter divides by 256, too.
        return image.transpose((2, 0, 1)).expand_dims(0).astype("float32") / 256
