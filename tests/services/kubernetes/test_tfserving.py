"""SavedModels in TensorFlow Serving's own image, with everything else of a service as ever."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from orchestrator.errors import PreflightError, UsageError
from orchestrator.services.kubernetes.plan import TFSERVING
from tests.kubernetes.standin import Image, Standin
from tests.kubernetes.standin.images import PATH
from tests.models.packages import below
from tests.store.trees import make_tree

SERVER = Path(__file__).with_name("tensorflow_model_server.py")
SERVICE = """
from model_service.tfserving_model_service import TfServingBaseService
import numpy as np

class Doubler(TfServingBaseService):
    def _preprocess(self, data):
        return {"x": np.asarray(data["rows"], dtype="float32")}
    def _postprocess(self, data):
        return {"version": "NUMBER", "doubled": data["y"]}
"""
SHAPE = {"server": "tfserving"}


@pytest.fixture
def saved(client, standin: Standin, tmp_path: Path):
    """Give a function that makes a version of a SavedModel; the nodes have TensorFlow Serving's image."""
    folder = tmp_path / "serving"
    folder.mkdir()
    program = folder / "tensorflow_model_server"
    shutil.copyfile(SERVER, program)
    program.chmod(0o755)
    path = f"{folder}:{Path(sys.executable).parent}:{PATH}"
    standin.images.add(TFSERVING.partition(":")[0].rpartition("/")[2], Image(environment={"PATH": path}))

    def make(number: int, content: str = "graph"):
        config = json.dumps({"model_algorithm": "doubler", "model_type": "TensorFlow"})
        files = {
            "config.json": config,
            "saved_model.pb": content,
            "variables/variables.index": "x",
            "customize_service.py": SERVICE.replace("NUMBER", str(number)),
        }
        return client.models.import_(str(make_tree(tmp_path / str(number), below("model", files))), "doubler")

    return make


def test_all_versions_are_in_one_server_and_the_packages_code_beside_the_front(client, saved):
    client.services.deploy(saved(1), engine="plain-1", shape=SHAPE)
    question = json.dumps({"rows": [[1, 2], [3, 4.5]]}).encode()
    assert client.services.predict("doubler", json=question).document == {
        "version": "1",
        "doubled": [[2, 4], [6, 9]],
    }
    wrong = client.services.predict("doubler", json=b'{"rows": [[1, 2, 3]]}')
    assert (wrong.status, "Matrix size-incompatible" in wrong.document["msg"]) == (422, True)
    view, _ = client.services.deploy(saved(2), engine="plain-1", traffic=50)
    assert view.record.shape.server == "tfserving"
    answers = [client.services.predict("doubler", json=question).document["version"] for _ in range(40)]
    assert set(answers) == {"1", "2"}
    assert client.services.get("doubler").unused > 0
    with pytest.raises(PreflightError, match=r"Can't parse saved_model\.pb"):
        client.services.deploy(saved(3, "broken"), engine="plain-1")
    assert client.services.predict("doubler", json=question).status == 200


def test_only_savedmodels_can_be_there(client, model):
    with pytest.raises(UsageError, match="TensorFlow Serving has SavedModels only"):
        client.services.deploy(model("one"), engine="plain-1", shape=SHAPE)
