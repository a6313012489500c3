"""What can be told of a job before anything of it is made, without asking the cluster."""

from pathlib import Path

import pytest

from orchestrator.backends.kubernetes.backend import KubernetesBackend
from orchestrator.config import Context
from orchestrator.errors import SpecError
from orchestrator.specs.flavors import resolve_resources
from orchestrator.specs.load import parse_job_spec

SPEC = "name: mnist\nengine: pytorch-2\ncode: ./code\nboot_file: train.py\nresources: {gpus: 1, gpu_type: p100}\n"
NOWHERE = Context(
    name="gpu", store="s3://bucket/me", backend="kubernetes", namespace="ml", store_secret="keys", kubeconfig="/nowhere"
)


def advise(section):
    spec = parse_job_spec(f"{SPEC}kubernetes: {section}\n", folder=Path("/"), environ={}).spec
    return KubernetesBackend(NOWHERE).advise(spec, resolve_resources(spec.resources), None)


def test_a_right_section_is_not_talked_about():
    assert advise("{queue: a, pod: {hostNetwork: true}}") == (1, [])


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{pod: {containers: [{image: x}]}}", r"`kubernetes\.pod\.containers\[0\]` has no `name`"),
        ("{pod: {restartPolicy: Always}}", "must leave `restartPolicy: Never`"),
        ("{affinity: {nodeAffinity: [a]}}", r"`kubernetes\.affinity\.nodeAffinity` must be a mapping"),
    ],
)
def test_what_no_pod_can_be_made_of_is_told(section, message):
    with pytest.raises(SpecError, match=message):
        advise(section)
