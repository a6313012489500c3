"""A service of one's own beside a real model of TensorFlow: it loads as it is, and reads the output that there is."""

from pathlib import Path

import pytest

from orchestrator import config
from orchestrator.client import Client
from tests.job_specs.test_training import clear_digits, mnist, train

__all__ = ["mnist"]

pytestmark = pytest.mark.journey

SERVICE = """
from PIL import Image
import numpy as np
from model_service.tfserving_model_service import TfServingBaseService

class digit_service(TfServingBaseService):
    def _preprocess(self, data):
        found = {}
        for field, files in data.items():
            for name, content in files.items():
                pixels = np.array(Image.open(content), dtype=np.float32)
                pixels.resize((1, 784))
                found[field] = pixels
        return found

    def _postprocess(self, data):
        values = data["OUTPUT"][0]
        return {"predict label": values.index(max(values))}
"""


def test_it_is_told_the_outputs_that_there_are(mnist: Path, tmp_path: Path):
    output = tmp_path / "V0001"
    train("mnist-tensorflow-softmax", mnist, output)
    config.add_context(config.Context(name="mnist", store=(mnist.parent / "store").as_uri()))
    client = Client("mnist")
    pictures = {}
    for digit, content in clear_digits(mnist).items():
        pictures[digit] = tmp_path / f"{digit}.png"
        pictures[digit].write_bytes(content)
    try:
        deploy(client, output, "scores")
        answer = client.services.predict("own", files=[pictures["7"]])
        told = "asked for 'scores', which is not there; the model's outputs are probabilities"
        assert (answer.status, told in answer.document["msg"]) == (500, True)
        deploy(client, output, "probabilities")
        for digit, picture in pictures.items():
            answer = client.services.predict("own", files=[picture]).document
            assert answer == {"predict label": int(digit)}
    finally:
        client.services.delete("own")


def deploy(client: Client, output: Path, name: str) -> None:
    (output / "model" / "customize_service.py").write_text(SERVICE.replace("OUTPUT", name))
    client.services.deploy(client.models.import_(str(output), "own"), engine="tensorflow-1.15")
