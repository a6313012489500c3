"""A package is loaded with an engine, before anybody depends on it."""

import json

import pytest

from orchestrator.errors import NotFoundError, PreflightError, UsageError
from orchestrator.models.load import engine_for
from orchestrator.models.record import Lineage, ModelVersion
from tests.models.packages import below
from tests.store.trees import make_tree

CONFIG = json.dumps({"model_algorithm": "echo", "model_type": "Custom"})
SERVICE = """
from model_service.model_service import SingleNodeService

print("hello from the service")

class Echo(SingleNodeService):
    def _inference(self, data):
        return data
"""


@pytest.fixture
def imported(project, tmp_path):
    """Give a function that imports a package with this service."""

    def act(service: str):
        files = {"config.json": CONFIG, "customize_service.py": service}
        project.client.models.import_(str(make_tree(tmp_path / "echo", below("model", files))), "echo")
        return project.client.models

    return act


def test_what_can_be_loaded_is_described(imported):
    loaded = imported(SERVICE).load("echo", engine="plain-1")
    assert (loaded.engine, loaded.service, loaded.inputs) == ("plain-1", "Echo", [])


def test_what_cannot_shows_what_its_code_said(imported):
    models = imported(SERVICE + "\nimport nowhere")
    with pytest.raises(
        PreflightError, match=r"with engine plain-1: customize_service\.py cannot be imported: No module"
    ):
        models.load("echo", engine="plain-1")
    models = imported(SERVICE + "\nraise ValueError('of its own')")
    with pytest.raises(PreflightError, match="ValueError: of its own"):
        models.load("echo", engine="plain-1")
    models = imported(SERVICE + "\nimport os; os._exit(9)")
    with pytest.raises(PreflightError, match="the process ended with 9"):
        models.load("echo", engine="plain-1")


@pytest.mark.parametrize(
    ("config", "engine"),
    [
        ({"model_type": "TensorFlow"}, "tensorflow-2"),
        (
            {"model_type": "TensorFlow", "runtime": "tensorflow_2.1.0-cuda_10.1-py_3.7-ubuntu_18.04-x86_64"},
            "tensorflow-2",
        ),
        ({"model_type": "TensorFlow", "runtime": "tf1.13-python3.7-cpu"}, "tensorflow-1.15"),
        ({"model_type": "TensorFlow", "runtime": "TF-1.13.1-python3.6"}, "tensorflow-1.15"),
        ({"model_type": "TensorFlow", "runtime": "python3.6"}, "tensorflow-2"),
        ({"model_type": "PyTorch", "runtime": 7}, "pytorch-2"),
    ],
)
def test_what_serves_a_model_that_no_job_has_made(config, engine):
    assert engine_for(ModelVersion(name="x", config=config)).name == engine
    trained = ModelVersion(name="x", config=config, lineage=Lineage(engine="moxing-2"))
    assert engine_for(trained).name == "moxing-2"


def test_an_engine_has_to_be_known(imported):
    models = imported(SERVICE)
    with pytest.raises(UsageError, match="its model_type is Custom"):
        models.load("echo")
    with pytest.raises(NotFoundError, match="no engine"):
        models.load("echo", engine="nothing")
