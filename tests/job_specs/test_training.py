"""The ready scripts train on the real digits in their real engines, started as the contract says."""

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator import config
from orchestrator.client import Client
from orchestrator.datasets import Datasets
from orchestrator.engines import ensure_environment, get_engine
from orchestrator.services.picture import png
from orchestrator.specs.load import load_job_spec
from orchestrator.store import open_store
from tests.guest.pythons import GUESTS

SPECS = Path(__file__).parents[2] / "job_specs"
TRAIN_ACCURACY = 0.97  # the original walk-through's figure for MXNet
TEST_ACCURACY = 0.97
LONGEST = 360  # seconds: twice what is promised for two idle cores, as these may be busy
DIGITS = 200  # of the test set, asked of the service

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mnist")
    datasets = Datasets(open_store((folder / "store").as_uri()))
    datasets.import_("mnist")
    datasets.pull("mnist", None, folder / "data")
    return folder / "data"


def train(name: str, data: Path, output: Path, *, engine_name: str = "", **parameters: object) -> str:
    """Run a spec's script as a job does, in its own engine or another one; return its log."""
    loaded = load_job_spec(SPECS / f"{name}.yaml")
    code = loaded.resolve(loaded.spec.code)
    engine = get_engine(engine_name or loaded.spec.engine)
    arguments = {"data_url": f"{data}/", **loaded.spec.parameters, **parameters, "train_url": f"{output}/"}
    run = subprocess.run(
        [
            ensure_environment(engine),
            code / loaded.spec.boot_file,
            *(f"--{key}={value}" for key, value in arguments.items()),
        ],
        cwd=output.parent,
        env=os.environ
        | engine.env
        | {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(GUESTS / "moxing")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(run.stdout)
    assert run.returncode == 0, run.stdout
    return run.stdout


def last(pattern: str, log: str) -> float:
    return float(re.findall(pattern + r"=([\d.]+)", log)[-1])


def check_package(
    output: Path, name: str, model_files: set[str], data: Path, tmp_path: Path, accuracy: float = TEST_ACCURACY
) -> None:
    """The model package is complete, and its service recognises digits."""
    metrics = json.loads((output / "metrics.json").read_text())
    package = json.loads((output / "model" / "config.json").read_text())
    assert metrics["validation_accuracy"] >= accuracy
    assert metrics["seconds"] <= LONGEST
    assert package["metrics"]["accuracy"] == pytest.approx(metrics["validation_accuracy"], abs=1e-4)
    assert {path.name for path in (output / "model").iterdir()} == model_files | {"config.json", "customize_service.py"}
    check_service(output, name, data, tmp_path, accuracy)


def check_service(output: Path, name: str, data: Path, tmp_path: Path, accuracy: float) -> None:
    """The package answers, deployed: each of ten clear digits is recognised, and nearly all of the test set."""
    config.add_context(config.Context(name="mnist", store=(data.parent / "store").as_uri()))
    client = Client("mnist")
    version = client.models.import_(str(output), name)
    client.services.deploy(version, engine=load_job_spec(SPECS / f"{name}.yaml").spec.engine)
    try:
        trial = client.try_service(name, data="mnist", number=DIGITS, parallel=2)
        assert (trial.asked, trial.right / DIGITS >= accuracy - 0.02) == (DIGITS, True), trial
        for digit, picture in clear_digits(data).items():
            (tmp_path / "digit.png").write_bytes(picture)
            answer = client.services.predict(name, files=[tmp_path / "digit.png"]).document
            assert answer["predicted_label"] == digit
            assert len(answer["scores"]) == 10
    finally:
        client.services.delete(name)


def clear_digits(data: Path) -> dict[str, bytes]:
    """Return a picture of each digit: the one of the test set that is most like all others of its kind."""
    pixels = np.frombuffer((data / "t10k-images-idx3-ubyte").read_bytes()[16:], np.uint8).reshape(-1, 28, 28)
    labels = np.frombuffer((data / "t10k-labels-idx1-ubyte").read_bytes()[8:], np.uint8)
    found = {}
    for digit in range(10):
        kind = pixels[labels == digit]
        clearest = np.square(kind - kind.mean(axis=0)).sum(axis=(1, 2)).argmin()
        found[str(digit)] = png(Image.fromarray(kind[clearest]))
    return found


def test_mxnet(mnist: Path, tmp_path: Path):
    output = tmp_path / "V0001"
    log = train("mnist-mxnet", mnist, output)
    assert last(r"Epoch\[7\] Train-accuracy", log) >= TRAIN_ACCURACY
    assert last(r"Epoch\[7\] Validation-accuracy", log) >= TEST_ACCURACY
    assert "samples/sec" in log
    assert [path.name for path in sorted(output.glob("*.params"))] == [f"mnist-{n:04d}.params" for n in range(1, 9)]
    check_package(output, "mnist-mxnet", {"mnist-symbol.json", "mnist-0000.params"}, mnist, tmp_path)


def test_pytorch(mnist: Path, tmp_path: Path):
    output = tmp_path / "V0001"
    log = train("mnist-pytorch", mnist, output)
    assert last(r"Epoch\[3\] Train-accuracy", log) >= TRAIN_ACCURACY
    assert last(r"Validation-accuracy", log) >= 0.99
    assert [path.name for path in sorted(output.glob("*.pt"))] == [f"mnist-{n:04d}.pt" for n in range(1, 5)]
    check_package(output, "mnist-pytorch", {"mnist.pt", "network.py"}, mnist, tmp_path, 0.99)


def test_xgboost(mnist: Path, tmp_path: Path):
    output = tmp_path / "V0001"
    log = train("mnist-xgboost", mnist, output)
    assert float(re.findall(r"\[49\]\ttrain-.*validation-merror:([\d.]+)", log)[0]) <= 1 - TEST_ACCURACY
    check_package(output, "mnist-xgboost", {"mnist.m"}, mnist, tmp_path)


SAVED_MODEL = {"saved_model.pb", "variables"}


def test_tensorflow(mnist: Path, tmp_path: Path):
    output = tmp_path / "V0001"
    log = train("mnist-tensorflow", mnist, output)
    assert last(r"Validation-accuracy", log) >= TEST_ACCURACY
    assert "samples/sec" in log
    assert "deprecated" not in log
    assert list(output.glob("events.out.tfevents.*"))
    assert (output / "mnist-1000.index").exists()
    check_package(output, "mnist-tensorflow", SAVED_MODEL, mnist, tmp_path)


def test_tensorflow2(mnist: Path, tmp_path: Path):
    output = tmp_path / "V0001"
    log = train("mnist-tensorflow2", mnist, output)
    assert last(r"Epoch\[1\] Train-accuracy", log) >= TRAIN_ACCURACY
    assert last(r"Validation-accuracy", log) >= TEST_ACCURACY
    assert list(output.glob("train/events.out.tfevents.*"))
    assert [path.name for path in sorted(output.glob("*.keras"))] == ["mnist-0001.keras", "mnist-0002.keras"]
    check_package(output, "mnist-tensorflow2", {*SAVED_MODEL, "assets", "fingerprint.pb"}, mnist, tmp_path)


def test_caffe(mnist: Path, tmp_path: Path):
    output = tmp_path / "V0001"
    log = train("mnist-caffe", mnist, output)
    assert last(r"Validation-accuracy", log) >= 0.98
    assert "samples/sec" in log
    assert (output / "lenet_iter_1500.caffemodel").exists()
    check_package(output, "mnist-caffe", {"lenet.caffemodel", "lenet_deploy.prototxt"}, mnist, tmp_path, 0.98)


@pytest.mark.parametrize("engine", ["moxing-1.15", "moxing-2"])
def test_moxing(mnist: Path, tmp_path: Path, engine: str):
    output = tmp_path / "V0001"
    log = train("mnist-moxing", mnist, output, engine_name=engine)
    assert re.search(r"^INFO:tensorflow:step: 4800\(global step: 4800\)\tsample/sec: [\d.]+\tloss: ", log, re.MULTILINE)
    assert list(output.glob("events.out.tfevents.*"))
    assert (output / "model.ckpt-4800.index").exists()
    check_package(output, "mnist-moxing", SAVED_MODEL, mnist, tmp_path)


@pytest.mark.parametrize(
    ("changes", "lowest", "highest"),
    [
        ({}, 0.89, 0.91),
        ({"max_steps": 3000}, 0.90, 0.92),
        ({"optimizer": "adam"}, 0.3, 0.65),
        ({"optimizer": "adam", "learning_rate": 0.001, "max_steps": 500}, 0.89, 0.91),
        ({"optimizer": "adam", "learning_rate": 0.001, "max_steps": 3000, "loss": "cross_entropy"}, 0.91, 0.93),
    ],
)
def test_the_story_of_the_walk_through(mnist: Path, tmp_path: Path, changes: dict, lowest: float, highest: float):
    """What loss, steps, optimizer and learning rate do; docs/optimisation.md tells it."""
    output = tmp_path / "V0001"
    assert lowest <= last("Validation-accuracy", train("mnist-tensorflow-softmax", mnist, output, **changes)) <= highest
    assert {path.name for path in (output / "model").iterdir()} >= {*SAVED_MODEL, "config.json", "customize_service.py"}


def test_the_sweep_tells_the_story_of_the_walk_through_and_its_best_answers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLCTL_CPUS", "2")
    client = Client()
    client.datasets.import_("mnist")
    client.sweeps.create(SPECS / "sweep-mnist-tensorflow.yaml")
    view = client.sweeps.wait("mnist-tensorflow-rates")
    view.raise_if_failed()
    found = {tuple(trial.parameters.values()): trial.value for trial in view.trials}
    assert len(found) == 8
    for steps in (1500, 3000):
        assert found["adam", 0.5, steps] < 0.7  # it collapses
        assert found["adam", 0.01, steps] == max(value for key, value in found.items() if key[2] == steps) > 0.9
    best = view.require_best()
    assert best.parameters["optimizer"] == "adam" and best.parameters["learning_rate"] == 0.01
    model = client.model_of(view.job, best.version)
    assert model == client.model_of(view.job, best.version)  # it is registered once
    client.services.deploy(model)
    try:
        answer = client.services.predict(model.name, files=[SPECS.parent / "docs" / "seven.png"])
        assert answer.document["predicted_label"] == "7"
    finally:
        client.services.delete(model.name)
