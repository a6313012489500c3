"""Services of a model that is a few lines of Python, on an engine that is a bare Python."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.client import Client
from orchestrator.config import home_dir
from orchestrator.models.record import ModelVersion
from orchestrator.services.local import end
from orchestrator.services.place import Place
from tests.jobs.conftest import Project, project
from tests.models.packages import below
from tests.store.trees import make_tree

__all__ = ["Project", "project"]

CONFIG = json.dumps(
    {
        "model_algorithm": "echo",
        "model_type": "Custom",
        "apis": [{"request": {"data": {"properties": {"picture": {"type": "file"}}}}, "response": {}}],
    }
)
ECHO = """
import os
from model_service.model_service import SingleNodeService

class Echo(SingleNodeService):
    def _inference(self, data):
        if data == {"do": "raise"}:
            raise ValueError("as it was asked to")
        return {"answer": "ANSWER", "fields": sorted(data)}
"""
DOUBLE = """
from model_service.model_service import SingleNodeService

class Double(SingleNodeService):
    def describe(self):
        both = [{"name": "x", "dtype": "float32", "shape": [-1, 2]}]
        return {"inputs": both, "outputs": [{"name": "y", "dtype": "float32", "shape": [-1, 2]}]}

    def predict(self, inputs, outputs=None, signature=None):
        return {"y": inputs["x"] * 2}
"""


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    """Give a client; the services that a test leaves are ended."""
    yield Client()
    for folder in (home_dir() / "services").glob("*"):
        end(Place(folder.name))


@pytest.fixture
def model(client: Client, tmp_path: Path) -> Callable[..., ModelVersion]:
    """Give a function that makes a version whose answers say `answer`."""

    def make(answer: str, source: str = ECHO, **config: object) -> ModelVersion:
        files = {
            "config.json": json.dumps(json.loads(CONFIG) | config),
            "customize_service.py": source.replace("ANSWER", answer),
        }
        return client.models.import_(str(make_tree(tmp_path / answer, below("model", files))), "echo")

    return make
