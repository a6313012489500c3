"""Old scripts in their real engines: TensorFlow 1's names in both TensorFlows, and Caffe's programs."""

import os
import re
import signal
import subprocess
import textwrap
from pathlib import Path

import pytest

from orchestrator.engines import ensure_environment, get_engine
from tests.guest.pythons import GUESTS
from tests.guest.test_compat import IMAGES, write_digits
from tests.waiting import wait_until

pytestmark = pytest.mark.journey

TF1 = """
    import tensorflow as tf
    import tensorflow.contrib.layers as contrib_layers
    from tensorflow.contrib.layers import flatten
    from tensorflow.examples.tutorials.mnist import input_data

    tf.flags.DEFINE_string("data_url", "", "folder")
    tf.flags.DEFINE_integer("max_steps", 60, "steps")
    FLAGS = tf.flags.FLAGS

    def main(_):
        tf.set_random_seed(1)
        mnist = input_data.read_data_sets(FLAGS.data_url, one_hot=True, validation_size=0)
        serialized = tf.placeholder(tf.string)
        x = tf.parse_example(serialized, {"x": tf.FixedLenFeature([784], tf.float32)})["x"]
        labels = tf.placeholder(tf.float32, [None, 10])
        layer = tf.layers.conv2d(tf.reshape(x, [-1, 28, 28, 1]), 4, 5, activation=tf.nn.relu)
        layer = flatten(tf.layers.max_pooling2d(layer, 2, 2))
        layer = contrib_layers.fully_connected(layer, 32, weights_regularizer=contrib_layers.l2_regularizer(0.001))
        with tf.variable_scope("last"):
            w = tf.get_variable("w", [32, 16], initializer=tf.contrib.layers.xavier_initializer())
        scores = tf.keras.layers.Dense(10)(tf.matmul(layer, w))
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(logits=scores, labels=labels))
        step = tf.train.get_or_create_global_step()
        train = tf.train.AdamOptimizer(0.01).minimize(loss + tf.losses.get_regularization_loss(), global_step=step)
        tf.summary.scalar("loss", loss)
        summaries = tf.summary.merge_all()
        with tf.Session() as sess, tf.summary.FileWriter("events") as writer:
            sess.run(tf.global_variables_initializer())
            for number in range(FLAGS.max_steps):
                images, digits = mnist.train.next_batch(20)
                value, summary, _ = sess.run([loss, summaries, train], {x: images, labels: digits})
                writer.add_summary(summary, number)
            print("version", tf.__version__, "steps", sess.run(step), "loss", value)
            tf.saved_model.simple_save(sess, "saved", {"images": x}, {"scores": scores})

    if __name__ == "__main__":
        tf.app.run(main=main)
    """


def start(engine: str, folder: Path, *arguments: str | Path, **env: str) -> "subprocess.Popen[str]":
    """Start a program with what a job gives it on its path, in an engine."""
    found = get_engine(engine)
    python = ensure_environment(found)
    path = f"{GUESTS / 'caffe' / 'python'}:{folder}:{GUESTS / 'moxing'}:{GUESTS / 'compat'}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DLS_"))}
    environment |= found.env | {"PYTHONPATH": path, "PATH": f"{python.parent}:{os.environ['PATH']}", **env}
    command = [arguments[0], *arguments[1:]] if arguments[0] != "python" else [python, *arguments[1:]]
    return subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run(engine: str, folder: Path, *arguments: str | Path, **env: str) -> str:
    process = start(engine, folder, *arguments, **env)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


@pytest.mark.parametrize(("engine", "version"), [("tensorflow-1.15", "1.15.5"), ("tensorflow-2", "2.21.0")])
def test_one_script_for_both_tensorflows(tmp_path: Path, engine: str, version: str):
    write_digits(tmp_path)
    (tmp_path / "script.py").write_text(textwrap.dedent(TF1))
    said = run(engine, tmp_path, "python", "script.py", f"--data_url={tmp_path}", MLCTL_COMPAT="tf1")
    match = re.search(r"version (\S+) steps (\d+) loss ([\d.]+)", said)
    assert match, said
    assert match.group(1, 2) == (version, "60")
    assert float(match[3]) < 1.5  # guessing is 2.3
    assert (tmp_path / "saved" / "saved_model.pb").exists()
    assert list((tmp_path / "events").iterdir())


def test_what_the_overlay_lacks_names_the_engine_that_has_it(tmp_path: Path):
    (tmp_path / "script.py").write_text("import tensorflow as tf\ntf.contrib.rnn")
    process = start("tensorflow-2", tmp_path, "python", "script.py", MLCTL_COMPAT="tf1")
    said, _ = process.communicate(timeout=300)
    assert "tf.contrib.rnn is not among what compat: tf1 brings" in said
    assert "tensorflow-1.15" in said


NET = """
name: "small"
layer {{
  name: "data" type: "Data" top: "data" top: "label" transform_param {{ scale: 0.00390625 }}
  data_param {{ source: "/cache/never-there/{database}" batch_size: 20 backend: LMDB }}
}}
layer {{
  name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param {{ num_output: 10 weight_filler {{ type: "xavier" }} }}
}}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.05 lr_policy: "fixed" momentum: 0.9 display: 10 max_iter: 10000 snapshot: 50
snapshot_prefix: "small" solver_mode: GPU random_seed: 1
"""
BIN = GUESTS / "caffe" / "bin"


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A folder with a database, a network and a solver, whose paths are below a /cache that is not there."""
    write_digits(tmp_path, packed=False)
    (tmp_path / "never-there").mkdir()
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    database = tmp_path / "never-there" / "train_lmdb"
    said = run("caffe-1.0", tmp_path, BIN / "convert_mnist_data.bin", images, labels, database, "--backend=lmdb")
    assert f"Processed {len(IMAGES)} files." in said
    (tmp_path / "net.prototxt").write_text(NET.format(database="train_lmdb"))
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    return tmp_path


def test_caffe_trains_goes_on_and_tests(digits: Path):
    cache = {"DLS_LOCAL_CACHE_PATH": str(digits)}
    train = (BIN / "caffe.bin", "train", "-solver", "solver.prototxt")
    said = run("caffe-1.0", digits, *train, CAFFE_MAX_ITER="120", **cache)
    assert "solver_mode: GPU, but this build computes on the CPU" in said
    assert "Iteration 100" in said
    names = sorted(path.name for path in digits.glob("small_iter_*.caffemodel"))
    assert names == ["small_iter_100.caffemodel", "small_iter_120.caffemodel", "small_iter_50.caffemodel"]
    said = run("caffe-1.0", digits, *train, "--snapshot=small_iter_120.solverstate", CAFFE_MAX_ITER="130", **cache)
    assert (digits / "small_iter_130.caffemodel").exists()
    test = (
        BIN / "caffe.bin",
        "test",
        "-model=net.prototxt",
        "-weights",
        "small_iter_130.caffemodel",
        "-iterations",
        "3",
    )
    said = run("caffe-1.0", digits, *test, **cache)
    loss = float(re.findall(r"^loss = ([\d.e-]+)", said, re.MULTILINE)[-1])
    assert loss < 1.0  # sixty images are learned by heart


def test_caffe_stops_when_it_is_interrupted_and_saves(digits: Path):
    process = start(
        "caffe-1.0", digits, BIN / "caffe.bin", "train", "-solver=solver.prototxt", DLS_LOCAL_CACHE_PATH=str(digits)
    )
    wait_until(lambda: (digits / "small_iter_50.caffemodel").exists() or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "optimization stopped early" in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("train", "-solver", "nowhere.prototxt"), "there is no file nowhere.prototxt"),
        (("train",), "need a solver"),
        (("train", "-solver", "solver.prototxt", "-gpu", "0"), "leave -gpu out"),
        (("train", "-sovler", "x"), "unknown command line flag 'sovler'"),
        (("fly",), "usage: caffe.bin"),
    ],
)
def test_caffe_refuses(digits: Path, arguments: tuple[str, ...], told: str):
    process = start("caffe-1.0", digits, BIN / "caffe.bin", *arguments)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert told in said
    assert "Traceback" not in said


def test_a_database_is_not_written_twice(digits: Path):
    images, labels = digits / "train-images-idx3-ubyte", digits / "train-labels-idx1-ubyte"
    again = (BIN / "convert_mnist_data.bin", images, labels, digits / "never-there" / "train_lmdb")
    for arguments, told in ((again, "mkdir"), ((*again[:2], images, "x"), "incorrect magic number 2051")):
        process = start("caffe-1.0", digits, *arguments)
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 1
        assert told in said
