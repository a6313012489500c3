"""Caffe's own helpers in the real engine, as scripts and services find them."""

import json
import subprocess

import pytest
from PIL import Image

from orchestrator.engines import ensure_environment, get_engine
from orchestrator.models.guests import GUESTS

PROGRAM = """
import io, json, sys
import caffe
files = [open(name, "rb").read() for name in sys.argv[1:]]
found = [caffe.io.load_image(io.BytesIO(file), color=color) for file in files for color in (False, True)]
print(json.dumps([[list(one.shape), one[0, 0].tolist()] for one in found]))
"""
IN_SERVICES, IN_JOBS = GUESTS, [guest for guest in GUESTS if guest.name == "compat"]


@pytest.mark.journey
@pytest.mark.parametrize("guests", [IN_SERVICES, IN_JOBS])
def test_pictures_are_read(tmp_path, guests):
    Image.new("L", (3, 2), 51).save(tmp_path / "gray.png")
    Image.new("RGBA", (3, 2), (255, 0, 0, 9)).save(tmp_path / "red.png")
    engine = get_engine("caffe-1.0")
    done = subprocess.run(
        [ensure_environment(engine), "-c", PROGRAM, tmp_path / "gray.png", tmp_path / "red.png"],
        env={"PYTHONPATH": ":".join(map(str, guests))},
        capture_output=True,
        text=True,
        check=True,
    )
    (gray, one), (coloured, three), (faded, red), (kept, full) = json.loads(done.stdout)
    assert (gray, coloured, faded, kept) == ([2, 3, 1], [2, 3, 3], [2, 3, 1], [2, 3, 3])
    assert one == pytest.approx([0.2]) and three == pytest.approx([0.2] * 3)
    assert 0 < red[0] < 1 and full == pytest.approx([1, 0, 0])
