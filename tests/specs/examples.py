"""Valid specs that the tests of this layer start from."""

from pathlib import Path

import pytest

from orchestrator.errors import SpecError
from orchestrator.specs.load import LoadedSpec, parse_job_spec

MINIMAL = """\
name: mnist
engine: mxnet-1.9
code: ./mnist
boot_file: train.py
"""
FULL = """\
# every key
name: mnist-mxnet
engine: mxnet-1.9
code: ./mnist-mxnet
boot_file: src/train_mnist.py
data: dataset://mnist@v3
data_mode: url
parameters:
  num_epochs: 8
  lr: 1e-3
  optimizer: 'sgd'
  shuffle: true
resources: {gpus: 4, gpu_type: p100, cpus: 8, memory: 32Gi, nodes: 2}
output: s3://${BUCKET}/mnist/
model: {name: mnist-mxnet}
max_duration: 1h30m
env: {OMP_NUM_THREADS: "1"}
variables:
  BUCKET: my-bucket
description: |
  Two lines
  for people.
"""


def parse(text: str | bytes, **changes) -> LoadedSpec:
    """Parse a spec named job.yaml in the folder /work, with an empty environment."""
    return parse_job_spec(text, **{"source": "job.yaml", "folder": Path("/work"), "environ": {}, **changes})


def refusal(text: str | bytes, **changes) -> list[str]:
    """Return the lines of the error that a spec gives."""
    with pytest.raises(SpecError) as caught:
        parse(text, **changes)
    return caught.value.message.split("\n")
