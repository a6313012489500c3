"""A minimal model server: base classes that load and run a model as ModelArts' own do, and a driver."""

import json
import os
import subprocess
from pathlib import Path

# model_type: (module, source of its base class)
BASE_CLASSES = {
    "MXNet": (
        "mms/model_service/mxnet_model_service.py",
        """
import glob, os
import mxnet as mx

class MXNetBaseService:
    def __init__(self, model_name, model_dir, manifest, gpu=None):
        (symbol,) = glob.glob(os.path.join(model_dir, "*-symbol.json"))
        network, parameters, states = mx.model.load_checkpoint(symbol[: -len("-symbol.json")], 0)
        self.mx_model = mx.mod.Module(network, label_names=None)
        self.mx_model.bind([("data", (1, 1, 28, 28))], for_training=False)
        self.mx_model.set_params(parameters, states, allow_missing=True)  # the label

    def inference(self, files):
        (content,) = files.values()
        data = self._preprocess([content.read()])
        self.mx_model.forward(mx.io.DataBatch(data), is_train=False)
        return self._postprocess(self.mx_model.get_outputs())
""",
    ),
    "PyTorch": (
        "model_service/pytorch_model_service.py",
        """
class PTServingBaseService:
    def __init__(self, model_name, model_path):
        self.model_path = model_path

    def inference(self, files):
        return self._postprocess(self._inference(self._preprocess({"images": files})))
""",
    ),
    "TensorFlow": (
        "model_service/tfserving_model_service.py",
        """
import tensorflow as tf

class TfServingBaseService:
    def __init__(self, model_name, model_path):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            graph = tf.compat.v1.saved_model.load(self.session, ["serve"], model_path)
        self.signature = graph.signature_def["serving_default"]

    def inference(self, files):
        inputs = self._preprocess({"images": files})
        feed = {self.signature.inputs[name].name: array for name, array in inputs.items()}
        fetch = {name: tensor.name for name, tensor in self.signature.outputs.items()}
        outputs = self.session.run(fetch, feed)
        return self._postprocess({name: array.tolist() for name, array in outputs.items()})
""",
    ),
    "Caffe": (
        "model_service/caffe_model_service.py",
        """
import glob, os
os.environ["GLOG_minloglevel"] = "2"
import caffe

class CaffeBaseService:
    def __init__(self, model_name, model_path):
        (network,) = glob.glob(os.path.join(model_path, "*.prototxt"))
        (weights,) = glob.glob(os.path.join(model_path, "*.caffemodel"))
        self.net = caffe.Net(network, weights, caffe.TEST)

    def inference(self, files):
        self._preprocess({"images": files})
        return self._postprocess(self.net.forward())
""",
    ),
}

DRIVER = """
import glob, importlib.util, io, json, struct, sys, zlib

def png(pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\\0" + pixels[start : start + 28] for start in range(0, len(pixels), 28))
    header = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\\x89PNG\\r\\n\\x1a\\n" + body

model_type, folder, images = sys.argv[1:]
spec = importlib.util.spec_from_file_location("customize_service", folder + "/customize_service.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
if model_type == "MXNet":
    service = module.MnistService("mnist", folder, {})
elif model_type == "PyTorch":
    service = module.MnistService("mnist", *glob.glob(folder + "/*.pt"))
else:
    service = module.MnistService("mnist", folder)
with open(images, "rb") as file:
    for pixels in iter(lambda: file.read(28 * 28), b""):
        print(json.dumps(service.inference({"digit.png": io.BytesIO(png(pixels))})))
"""


def serve(
    python: Path, model_type: str, package: Path, images: bytes, *, folder: Path, env: dict[str, str]
) -> list[dict]:
    """Load a model package in its engine, send it each 28x28 image as a file, return the answers."""
    module, source = BASE_CLASSES[model_type]
    base = folder / "base" / module
    base.parent.mkdir(parents=True)
    base.write_text(source)
    (folder / "images").write_bytes(images)
    (folder / "driver.py").write_text(DRIVER)
    run = subprocess.run(
        [python, folder / "driver.py", model_type, package, folder / "images"],
        env=os.environ | env | {"PYTHONPATH": str(folder / "base"), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in run.stdout.splitlines()]
