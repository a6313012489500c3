"""What services and scripts of MXNet find, in the real engine."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.engines import ensure_environment, get_engine
from tests.guest.pythons import GUESTS

pytestmark = pytest.mark.journey

LOOK = """
import os, sys
import mxnet as mx
from mlctl_model.mxnet_files import manifest_of
dense = mx.sym.FullyConnected(mx.sym.Variable("pixels"), num_hidden=10, name="dense")
module = mx.mod.Module(mx.sym.SoftmaxOutput(dense, name="out"), data_names=["pixels"], label_names=["out_label"])
module.bind([("pixels", (1, 784))], [("out_label", (1,))])
module.init_params()
module.save_checkpoint(os.path.join(sys.argv[1], "pred"), 0)
manifest_of(sys.argv[1])
print([os.environ[name] for name in ("input_data_name", "input_data_shape", "output_data_shape")])
"""


def test_a_call_takes_an_array_of_one_element(tmp_path: Path):
    python = ensure_environment(get_engine("mxnet-1.9"))
    program = "import mlctl, mxnet as mx; mlctl.log(loss=mx.nd.array([0.5])); mlctl.log(loss=mx.nd.array([1, 2]))"
    environment = {**os.environ, "PYTHONPATH": str(GUESTS / "metrics"), "MLCTL_METRICS": str(tmp_path / "calls")}
    done = subprocess.run([python, "-c", program], env=environment, capture_output=True, text=True, timeout=300)
    assert json.loads((tmp_path / "calls").read_text())["loss"] == 0.5
    assert "TypeError: mlctl.log takes numbers, and loss is" in done.stderr


@pytest.mark.parametrize(("given", "there"), [({}, "0,784"), ({"input_data_shape": "0,28,28"}, "0,28,28")])
def test_the_variables_that_services_read_are_there(tmp_path: Path, given: dict[str, str], there: str):
    python = ensure_environment(get_engine("mxnet-1.9"))
    environment = {**os.environ, "PYTHONPATH": str(GUESTS / "serving"), **given}
    command = [python, "-c", LOOK, tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines()[-1:] == [str(["pixels", there, "0,10"])], done.stderr


def test_several_files_are_as_many_rows(tmp_path: Path):
    python = ensure_environment(get_engine("mxnet-1.9"))
    seven = Path(__file__).parents[3] / "docs" / "seven.png"
    ask = f"""
import json
from mlctl_model import package, worker
open(sys.argv[1] + "/config.json", "w").write('{{"model_type": "MXNet"}}')
service, kind = package.load_service(sys.argv[1], "x")
files = {{"pixels": dict.fromkeys(["7.png", "8.png"], open({str(seven)!r}, "rb").read())}}
rows = json.loads(worker.answer(service, kind, {{}}, {{"do": "infer", "files": files}})["value"])["out_output"]
print(len(rows), len(rows[0]), rows[0] == rows[1])
"""
    environment = {**os.environ, "PYTHONPATH": str(GUESTS / "serving")}
    done = subprocess.run([python, "-c", LOOK + ask, tmp_path], env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["2 10 True"], done.stderr
