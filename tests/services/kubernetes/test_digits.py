"""The ready specs on a cluster: trained there, deployed there, and asked about pictures of digits."""

from pathlib import Path

import pytest
import yaml

from orchestrator.engines import ensure_environment, get_engine
from orchestrator.runtime.status import State
from orchestrator.services.state import ServiceState
from tests.job_specs.test_training import clear_digits
from tests.kubernetes.standin import Image, Standin
from tests.kubernetes.standin.images import PATH

SPECS = Path(__file__).parents[3] / "job_specs"
LONGEST = 600  # seconds of training

pytestmark = pytest.mark.journey


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("mnist-mxnet", {"train_accuracy", "validation_accuracy"}),
        ("mnist-tensorflow", {"loss", "validation_accuracy"}),
        ("mnist-caffe", {"loss", "validation_accuracy"}),
        ("mnist-moxing", {"loss", "accuracy"}),
        ("mnist-pytorch", {"train_accuracy", "validation_accuracy"}),
    ],
)
def test_a_ready_spec_becomes_a_service(
    client, standin: Standin, name: str, metrics: set[str], tmp_path: Path, monkeypatch
):
    monkeypatch.delenv("MLCTL_ENGINES")
    spec = SPECS / f"{name}.yaml"
    engine = get_engine(yaml.safe_load(spec.read_text())["engine"])
    standin.images.add(engine.name, Image(environment={"PATH": f"{ensure_environment(engine).parent}:{PATH}"}))
    client.datasets.import_("mnist")
    job = client.jobs.create(spec)
    job = client.jobs.wait(job.name, job.version, timeout=LONGEST)
    assert job.status.state is State.SUCCEEDED, job.status.message
    assert metrics <= job.status.metrics.keys()
    assert max(each.best.value for key, each in job.status.metrics.items() if "accuracy" in key) > 0.95
    if name != "mnist-moxing":  # whose log counts steps, and whose parameter epochs
        assert job.status.progress and job.status.progress.share > 0.9
    view, _ = client.services.deploy(client.deployable(name, "v1"))
    assert view.state is ServiceState.RUNNING
    client.datasets.pull("mnist", None, tmp_path / "data")
    for digit, content in clear_digits(tmp_path / "data").items():
        picture = tmp_path / f"{digit}.png"
        picture.write_bytes(content)
        assert client.services.predict(name, files=[picture]).document["predicted_label"] == digit
    client.services.delete(name)
    assert standin.objects("deployments") == []
