"""The default service of PyTorch, in the real engine: pictures and numbers in, and whose fault a wrong shape is."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.engines import ensure_environment, get_engine
from tests.guest.pythons import GUESTS

pytestmark = pytest.mark.journey

SEVEN = Path(__file__).parents[3] / "docs" / "seven.png"  # 56 x 56
ASK = """
import json, sys
import torch
from mlctl_model import package, worker
from torch import nn
folder, seven = sys.argv[1:]
net = {NET}
torch.jit.script(net).save(folder + "/net.pt")
open(folder + "/config.json", "w").write('{"model_algorithm": "x", "model_type": "PyTorch"}')
service, kind = package.load_service(folder, "x")
def asked(**request):
    answer = worker.answer(service, kind, service.describe(), dict(request, do="infer"))
    return json.loads(answer["value"]) if "value" in answer else answer["error"]
shape = lambda value: list(torch.tensor(value).shape)
print(json.dumps([
    shape(asked(files={"image": dict.fromkeys(["7.png", "8.png"], open(seven, "rb").read())})["image"]),
    asked(json=b'{"x": [[1, 2, 3]]}'),
    asked(files={"image": {"7.png": b"no picture"}}),
]))
"""
NETS = {
    "nn.Linear(784, 10)": [2, 10],
    "nn.Sequential(nn.Flatten(), nn.Linear(784, 10))": [2, 10],
    "nn.Conv2d(3, 5, 3)": [2, 5, 54, 54],
    "nn.Conv2d(1, 5, 3)": [2, 5, 54, 54],
}


@pytest.mark.parametrize("net", NETS)
def test_pictures_are_taken_as_the_first_layer_takes_them(tmp_path: Path, net: str):
    python = ensure_environment(get_engine("pytorch-2"))
    environment = {**os.environ, "PYTHONPATH": str(GUESTS / "serving")}
    command = [python, "-c", ASK.replace("{NET}", net), tmp_path, SEVEN]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    shape, wrong, other = json.loads(done.stdout)
    assert shape == NETS[net]
    assert wrong["kind"] == "ValueError"
    assert wrong["message"].startswith("the model does not take x of shape [1, 3]: ")
    assert (other["kind"], other["step"]) == ("UnidentifiedImageError", "_preprocess")
