"""Recognise handwritten digits with a multilayer perceptron, trained by MoXing.

Reads the four packed MNIST files from --data_url. Writes to --train_url: checkpoints and summaries,
metrics.json, and model/, a package that can be registered and deployed as it is. Both may be folders,
or URLs of a bucket (`data_mode: url`).
"""

import gzip
import json
import os
import time

import moxing.tensorflow as mox
import numpy as np
import tensorflow.compat.v1 as tf

tf.flags.DEFINE_string("data_url", None, "folder of the training data")
tf.flags.DEFINE_string("train_url", None, "folder for the output")
tf.flags.DEFINE_integer("num_epochs", 8, "how often all images are seen")
tf.flags.DEFINE_integer("batch_size", 100, "images per step")
tf.flags.DEFINE_float("learning_rate", 0.001, "of the optimizer Adam")
flags = tf.flags.FLAGS

CODE_DIR = os.path.dirname(os.path.abspath(__file__))
HEADERS = {"images-idx3": 16, "labels-idx1": 8}  # bytes in front of the numbers
PIXELS = 28 * 28
HIDDEN = 256  # units of the hidden layer
DROPPED = 0.2  # of these, while training


def digits(subset):
    """Return images, with values from 0 to 1, and labels of `train` or `t10k`."""
    found = []
    for kind, header in HEADERS.items():
        packed = os.path.join(flags.data_url, "{}-{}-ubyte.gz".format(subset, kind))
        data = gzip.decompress(mox.file.read(packed, binary=True))
        found.append(np.frombuffer(data, np.uint8, offset=header))
    images, labels = found
    return images.reshape(-1, PIXELS).astype(np.float32) / 255, labels.astype(np.int64)


def make_input_fn(data):
    """Return the function from which MoXing reads batches."""

    def batches():
        images, labels = data["train"]
        while True:
            order = np.random.permutation(len(labels))
            for start in range(0, len(order), flags.batch_size):
                chosen = order[start : start + flags.batch_size]
                yield images[chosen], labels[chosen]

    def test_batches():
        images, labels = data["t10k"]
        for start in range(0, len(labels), flags.batch_size):
            yield images[start : start + flags.batch_size], labels[start : start + flags.batch_size]

    def input_fn(run_mode, **kwargs):
        return tf.data.Dataset.from_generator(
            batches if run_mode == mox.ModeKeys.TRAIN else test_batches,
            output_types=(tf.float32, tf.int64),
            output_shapes=([None, PIXELS], [None]),
        ).prefetch(1)

    return input_fn


def dense(inputs, name, units):
    """Return a fully connected layer."""
    with tf.variable_scope(name):
        weights = tf.get_variable("weights", [inputs.shape[1], units], initializer=tf.glorot_uniform_initializer())
        bias = tf.get_variable("bias", [units], initializer=tf.zeros_initializer())
        return tf.matmul(inputs, weights) + bias


def model_fn(inputs, run_mode, **kwargs):
    """Describe the network: 784 inputs, one hidden layer, ten logits."""
    images, labels = inputs
    hidden = tf.nn.relu(dense(images, "hidden", HIDDEN))
    if run_mode == mox.ModeKeys.TRAIN:
        hidden = tf.nn.dropout(hidden, rate=DROPPED)
    logits = dense(hidden, "logits", 10)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    right = tf.equal(tf.argmax(logits, 1), labels)
    return mox.ModelSpec(
        loss=loss,
        log_info={"loss": loss, "accuracy": tf.reduce_mean(tf.cast(right, tf.float32))},
        # The version is the folder's name, in which a model package is looked for.
        export_spec=mox.ExportSpec({"images": images}, {"logits": logits}, version="model"),
    )


def complete_package(metrics):
    """Add to the exported model how a service uses it, and how well it does."""
    package = os.path.join(flags.train_url, "model")
    with open(os.path.join(CODE_DIR, "model", "config.json")) as file:
        config = json.load(file)
    config["metrics"]["accuracy"] = round(metrics["validation_accuracy"], 4)
    mox.file.write(os.path.join(package, "config.json"), json.dumps(config, indent=2) + "\n")
    service = "customize_service.py"
    mox.file.copy(os.path.join(CODE_DIR, "model", service), os.path.join(package, service))
    mox.file.write(os.path.join(flags.train_url, "metrics.json"), json.dumps(metrics, indent=2) + "\n")


def main(_):
    data = {subset: digits(subset) for subset in ("train", "t10k")}
    steps = len(data["train"][1]) // flags.batch_size
    started = time.time()
    common = {
        "input_fn": make_input_fn(data),
        "model_fn": model_fn,
        "batch_size": flags.batch_size,
        "auto_batch": False,  # the input function makes the batches
        "log_dir": flags.train_url,
    }
    mox.run(
        run_mode=mox.ModeKeys.TRAIN,
        optimizer_fn=mox.get_optimizer_fn("adam", learning_rate=flags.learning_rate),
        max_number_of_steps=flags.num_epochs * steps,
        log_every_n_steps=100,
        export_model=mox.ExportKeys.TF_SERVING,
        **common
    )
    if mox.get_flag("task_index") > 0:  # of several workers the first has the model
        return
    test = mox.run(run_mode=mox.ModeKeys.EVAL, log_every_n_steps=0, **common)
    metrics = {
        "validation_accuracy": test["accuracy"],
        "epochs": flags.num_epochs,
        "seconds": round(time.time() - started, 1),
    }
    complete_package(metrics)
    tf.logging.info("Finished: %s", json.dumps(metrics))


if __name__ == "__main__":
    tf.app.run(main)
