"""What old scripts find: the tutorials' module, Python 2's sort, and the sitecustomize that ours hides."""

import gzip
import os
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from tests.guest.pythons import GUESTS, python, pythons

IMAGES = np.random.default_rng(1).integers(0, 256, (60, 28, 28), np.uint8)
LABELS = np.arange(60, dtype=np.uint8) % 10


def run(folder: Path, source: str, version: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the guest on its path, after the script's own folder."""
    script = folder / "script.py"
    script.write_text(textwrap.dedent(source))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PYTHONPATH": f"{folder}:{GUESTS / 'compat'}", "PYTHONDONTWRITEBYTECODE": "1", **env}
    interpreter = python(version) if version else sys.executable
    assert interpreter
    return subprocess.run([interpreter, script], env=environment, capture_output=True, text=True, cwd=folder)


def output(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def tensorflow(folder: Path, version: str = "2.99.0") -> Path:
    """Make a package `tensorflow` that has nothing but a version."""
    package = folder / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text(f"__version__ = {version!r}\n")
    return package


def write_digits(folder: Path, *, packed: bool = True) -> None:
    images = struct.pack(">4i", 2051, *IMAGES.shape) + IMAGES.tobytes()
    labels = struct.pack(">2i", 2049, len(LABELS)) + LABELS.tobytes()
    for subset in ("train", "t10k"):
        for name, data in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            (folder / f"{subset}-{name}{'.gz' if packed else ''}").write_bytes(gzip.compress(data) if packed else data)


READ = """
    from tensorflow.examples.tutorials.mnist import input_data
    mnist = input_data.read_data_sets(".", one_hot=True, validation_size=20)
    """


@pytest.mark.parametrize("packed", [True, False])
def test_the_tutorials_module_is_there_where_tensorflow_lacks_it(tmp_path, packed):
    tensorflow(tmp_path)
    write_digits(tmp_path, packed=packed)
    more = """
    assert input_data.read_data_sets(".", validation_size=0).validation.num_examples == 0
    print([part.num_examples for part in mnist], mnist.train.images.shape, mnist.train.labels.shape)
    print(mnist.test.images.dtype, mnist.test.images.max(), mnist.test.labels.argmax(1)[:12].tolist())
    """
    lines = output(run(tmp_path, READ + more)).splitlines()
    assert lines == [
        "[40, 20, 60] (40, 784) (40, 10)",
        "float32 1.0 [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]",
    ]


def test_batches_go_through_all_images_and_then_again_in_another_order(tmp_path):
    tensorflow(tmp_path)
    write_digits(tmp_path)
    more = """
    import numpy as np
    seen = [mnist.train.next_batch(15) for _ in range(8)]  # three times 40
    assert all(images.shape == (15, 784) and labels.shape == (15, 10) for images, labels in seen)
    images = np.concatenate([images for images, labels in seen])
    labels = np.concatenate([labels for images, labels in seen])
    rows = [tuple(row) for row in images]
    epochs = [rows[start : start + 40] for start in (0, 40, 80)]
    print([len(set(epoch)) for epoch in epochs], epochs[0] == epochs[1], mnist.train.epochs_completed)
    of = dict(zip(map(tuple, mnist.train.images), mnist.train.labels.argmax(1)))
    print(all(of[row] == label for row, label in zip(rows, labels.argmax(1))))
    """
    assert output(run(tmp_path, READ + more)).splitlines() == ["[40, 40, 40] False 2", "True"]


def test_a_missing_file_is_named(tmp_path):
    tensorflow(tmp_path)
    done = run(tmp_path, READ)
    assert done.returncode == 1
    assert "images-idx3-ubyte.gz" in done.stderr


def test_a_tensorflow_that_has_the_module_keeps_its_own(tmp_path):
    package = tensorflow(tmp_path, "1.15.5")
    for part in ("examples", "examples/tutorials", "examples/tutorials/mnist"):
        (package / part).mkdir()
        (package / part / "__init__.py").touch()
    (package / "examples/tutorials/mnist/input_data.py").write_text("own = True\n")
    source = "from tensorflow.examples.tutorials.mnist import input_data; print(input_data.own)"
    assert output(run(tmp_path, source)) == "True"


def test_other_modules_are_missing_as_ever(tmp_path):
    tensorflow(tmp_path)
    assert "No module named 'tensorflow.examples.tutorials.word2vec'" in (
        run(tmp_path, "import tensorflow.examples.tutorials.word2vec").stderr
    )


def test_caffes_load_image_is_mended_and_nothing_else(tmp_path):
    package = tmp_path / "caffe"
    package.mkdir()
    (package / "__init__.py").write_text("from . import io\n")
    (package / "io.py").write_text("def load_image(name, color=True): return 'broken'\ndef other(): return 'own'\n")
    source = "import caffe.io; print(caffe.io.load_image.__module__, caffe.io.other())"
    assert output(run(tmp_path, source)) == "mlctl_compat.caffe_io own"


def test_version_1_is_not_overlaid(tmp_path):
    tensorflow(tmp_path, "1.15.5")
    source = "import tensorflow as tf; print(tf.__version__, hasattr(tf, 'contrib'))"
    assert output(run(tmp_path, source, MLCTL_COMPAT="tf1")) == "1.15.5 False"


@pytest.mark.parametrize("version", [version for version in pythons() if version != "2.7"])
def test_python_2_sorts(tmp_path, version):
    source = """
    def backwards(a, b):
        return b - a
    numbers = [3, 1, 2]
    numbers.sort(cmp=backwards)
    print(numbers, sorted(["aa", "b"], key=len, cmp=lambda a, b: a - b), sorted([1, 2], reverse=True))
    numbers.sort()
    print(numbers)
    """
    assert output(run(tmp_path, source, version)).splitlines() == ["[3, 2, 1] ['b', 'aa'] [2, 1]", "[1, 2, 3]"]


@pytest.mark.parametrize("version", pythons())
def test_a_script_that_needs_nothing_is_left_alone(tmp_path, version):
    source = """
    import sys
    try:
        [].sort(**{"cm" + "p": None})
    except TypeError:
        print("refused", "ctypes" in sys.modules)
    """
    done = run(tmp_path, source, version)
    assert output(done) == ("refused False" if version != "2.7" else "")


def test_a_sitecustomize_of_the_users_own_is_run_too(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import sys\nsys.own = __name__\n")
    environment = {"PYTHONPATH": f"{GUESTS / 'compat'}:{own}"}
    assert output(run(tmp_path, "import sys; print(sys.own)", **environment)) == "sitecustomize"
