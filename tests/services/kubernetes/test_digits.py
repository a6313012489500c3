"""The ready specs on a cluster: trained there, deployed there, and asked about pictures of digits."""

import struct
import zlib
from pathlib import Path

import pytest
import yaml

from orchestrator.engines import ensure_environment, get_engine
from orchestrator.runtime.status import State
from orchestrator.services.state import ServiceState
from tests.kubernetes.standin import Image, Standin
from tests.kubernetes.standin.images import PATH

SPECS = Path(__file__).parents[3] / "job_specs"
HEADERS = (16, 8)  # bytes, of the image and label files
DIGITS = 10  # of the test set
SIDE = 28  # pixels
LONGEST = 600  # seconds of training

pytestmark = pytest.mark.journey


def png(pixels: bytes) -> bytes:
    """Return a picture in shades of grey."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + pixels[start : start + SIDE] for start in range(0, len(pixels), SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("name", ["mnist-mxnet", "mnist-tensorflow", "mnist-caffe", "mnist-moxing", "mnist-pytorch"])
def test_a_ready_spec_becomes_a_service(client, standin: Standin, name: str, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("MLCTL_ENGINES")
    spec = SPECS / f"{name}.yaml"
    engine = get_engine(yaml.safe_load(spec.read_text())["engine"])
    standin.images.add(engine.name, Image(environment={"PATH": f"{ensure_environment(engine).parent}:{PATH}"}))
    client.datasets.import_("mnist")
    job = client.jobs.create(spec)
    job = client.jobs.wait(job.name, job.version, timeout=LONGEST)
    assert job.status.state is State.SUCCEEDED, job.status.message
    view, _ = client.services.deploy(client.deployable(name, "v1"))
    assert view.state is ServiceState.RUNNING
    client.datasets.pull("mnist", None, tmp_path / "data")
    pixels = (tmp_path / "data" / "t10k-images-idx3-ubyte").read_bytes()[HEADERS[0] :]
    labels = (tmp_path / "data" / "t10k-labels-idx1-ubyte").read_bytes()[HEADERS[1] :][:DIGITS]
    answers = []
    for number in range(DIGITS):
        picture = tmp_path / f"{number}.png"
        picture.write_bytes(png(pixels[number * SIDE * SIDE :][: SIDE * SIDE]))
        answers.append(client.services.predict(name, files=[picture]).document)
    right = [str(answer.get("predicted_label")) == str(label) for answer, label in zip(answers, labels, strict=True)]
    assert sum(right) >= DIGITS - 1, answers  # the ninth is a five that some take for a six
    client.services.delete(name)
    assert standin.objects("deployments") == []
