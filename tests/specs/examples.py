"""Valid specs that the tests of this layer start from."""

from pathlib import Path

import pytest

from orchestrator.errors import SpecError
from orchestrator.specs.kubernetes import Kubernetes
from orchestrator.specs.kubernetes_parts import Toleration, Volume
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
metrics: {accuracy: 'right: ([0-9.]+)'}
goals: {distance: minimize}
max_duration: 1h30m
env: {OMP_NUM_THREADS: "1"}
variables:
  BUCKET: my-bucket
kubernetes:
  image: registry.lab:5000/team/mxnet:1.9
  image_pull_policy: IfNotPresent
  image_pull_secrets: [registry-lab]
  queue: team-a
  priority_class: high
  runtime_class: nvidia
  service_account: trainer
  node_selector: {disktype: ssd}
  tolerations:
  - {key: dedicated, value: training, effect: NoSchedule}
  affinity: {podAntiAffinity: {}}
  gpu_resource: nvidia.com/gpu
  env_from: [configmap/settings, secret/wandb]
  secrets: {WANDB_API_KEY: wandb/api-key}
  volumes:
    /datasets: {pvc: shared-data, read_only: true}
    /scratch: {empty_dir: 50Gi}
  shm: 8Gi
  cache: 100Gi
  disk: 50Gi
  retries: 2
  ttl: 2d
  security: restricted
  labels: {cost-centre: a42}
  annotations: {example.com/team: a}
  pod: {hostNetwork: false}
description: |
  Two lines
  for people.
"""
KUBERNETES = Kubernetes(
    image="registry.lab:5000/team/mxnet:1.9",
    image_pull_policy="IfNotPresent",
    image_pull_secrets=["registry-lab"],
    queue="team-a",
    priority_class="high",
    runtime_class="nvidia",
    service_account="trainer",
    node_selector={"disktype": "ssd"},
    tolerations=[Toleration(key="dedicated", value="training", effect="NoSchedule")],
    affinity={"podAntiAffinity": {}},
    gpu_resource="nvidia.com/gpu",
    env_from=["configmap/settings", "secret/wandb"],
    secrets={"WANDB_API_KEY": "wandb/api-key"},
    volumes={"/datasets": Volume(pvc="shared-data", read_only=True), "/scratch": Volume(empty_dir="50Gi")},
    shm="8Gi",
    cache="100Gi",
    disk="50Gi",
    retries=2,
    ttl="2d",
    security="restricted",
    labels={"cost-centre": "a42"},
    annotations={"example.com/team": "a"},
    pod={"hostNetwork": False},
)


def parse(text: str | bytes, **changes) -> LoadedSpec:
    """Parse a spec named job.yaml in the folder /work, with an empty environment."""
    return parse_job_spec(text, **{"source": "job.yaml", "folder": Path("/work"), "environ": {}, **changes})


def refusal(text: str | bytes, **changes) -> list[str]:
    """Return the lines of the error that a spec gives."""
    with pytest.raises(SpecError) as caught:
        parse(text, **changes)
    return caught.value.message.split("\n")
