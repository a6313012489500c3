"""Packages without a customize_service.py answer with what their framework computes, in the real engines."""

import json
import subprocess

import pytest

from orchestrator.engines import ensure_environment, get_engine
from orchestrator.models.guests import GUESTS

MXNET = """
import json, sys
import mxnet as mx
from mlctl_model.package import load_service
x = mx.sym.Flatten(mx.sym.var("data"))
net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(x, num_hidden=3, name="fc"), name="softmax")
weights = {"fc_weight": mx.nd.arange(12).reshape((3, 4)) / 10, "fc_bias": mx.nd.array([1, 0, 0])}
mx.model.save_checkpoint(sys.argv[1] + "/net", 1, net, weights, {})
rows = [[1, 2, 3, 4], [0.1, 0, 0, 0.5]]
truth = mx.nd.softmax(mx.nd.dot(mx.nd.array(rows), weights["fc_weight"].T) + weights["fc_bias"]).asnumpy()
service, _ = load_service(sys.argv[1], "net")
as_arrays = service.predict({"data": rows})["softmax_output"]
print(json.dumps([truth.tolist(), service.inference({"data": rows})["softmax_output"], as_arrays.tolist()]))
"""


@pytest.mark.journey
def test_mxnet(tmp_path):
    (tmp_path / "config.json").write_text('{"model_algorithm": "x", "model_type": "MXNet"}')
    done = subprocess.run(
        [ensure_environment(get_engine("mxnet-1.9")), "-c", MXNET, tmp_path],
        env={"PYTHONPATH": ":".join(map(str, GUESTS))},
        capture_output=True,
        text=True,
        check=True,
    )
    truth, as_json, as_arrays = json.loads(done.stdout)
    assert as_json == as_arrays
    assert [value for row in as_json for value in row] == pytest.approx([value for row in truth for value in row])
