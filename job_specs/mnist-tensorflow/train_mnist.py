"""Recognise handwritten digits with a small convolutional network, in TensorFlow 1: a graph and a session.

Reads the four unpacked MNIST files from --data_url. Writes to --train_url: event files for TensorBoard,
checkpoints, metrics.json, and model/, a package that can be registered and deployed as it is.
"""

import json
import logging
import os
import shutil
import time

import numpy as np
import tensorflow as tf

tf.flags.DEFINE_string("data_url", None, "folder of the training data", required=True)
tf.flags.DEFINE_string("train_url", None, "folder for the output", required=True)
tf.flags.DEFINE_integer("max_steps", 1000, "batches to learn from")
tf.flags.DEFINE_integer("batch_size", 100, "images per step")
tf.flags.DEFINE_float("learning_rate", 0.001, "of the Adam optimizer")
FLAGS = tf.flags.FLAGS

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # else each name that TensorFlow 2 has changed is a warning

CODE_DIR = os.path.dirname(os.path.abspath(__file__))
PIXELS = 28 * 28
LOG_EVERY = 100  # steps
SEED = 1


def read_digits(subset):
    """Return the images, rows of 784 values from 0 to 1, and their labels (the idx format: a header, then bytes)."""
    pixels = np.fromfile(os.path.join(FLAGS.data_url, subset + "-images-idx3-ubyte"), np.uint8)[16:]
    labels = np.fromfile(os.path.join(FLAGS.data_url, subset + "-labels-idx1-ubyte"), np.uint8)[8:]
    return pixels.reshape(-1, PIXELS).astype(np.float32) / 255, labels.astype(np.int64)


def batches(images, labels):
    """Yield batches for ever, each time through the images in another order."""
    random = np.random.RandomState(SEED)
    while True:
        order = random.permutation(len(images))
        for start in range(0, len(order) - FLAGS.batch_size + 1, FLAGS.batch_size):
            chosen = order[start : start + FLAGS.batch_size]
            yield images[chosen], labels[chosen]


def network(images):
    """Return ten scores for each row of 784 pixels."""
    layer = tf.reshape(images, [-1, 28, 28, 1])
    for number, filters in enumerate((8, 16), start=1):
        layer = tf.layers.conv2d(layer, filters, kernel_size=5, activation=tf.nn.relu, name="conv%d" % number)
        layer = tf.layers.max_pooling2d(layer, pool_size=2, strides=2)
    layer = tf.layers.dense(tf.layers.flatten(layer), 128, activation=tf.nn.relu, name="dense")
    return tf.layers.dense(layer, 10, name="scores")


def evaluate(session, accuracy, inputs, images, labels, batch_size=1000):
    """Return the share of images that the network recognises."""
    parts = [slice(start, start + batch_size) for start in range(0, len(images), batch_size)]
    return float(np.mean([session.run(accuracy, dict(zip(inputs, (images[part], labels[part])))) for part in parts]))


def export(session, images, scores, metrics):
    """Write model/: the graph with its variables, and how a service uses them."""
    package = os.path.join(FLAGS.train_url, "model")
    tf.saved_model.simple_save(
        session, package, inputs={"images": images}, outputs={"probabilities": tf.nn.softmax(scores)}
    )
    with open(os.path.join(CODE_DIR, "model", "config.json")) as file:
        config = json.load(file)
    config["metrics"]["accuracy"] = round(metrics["validation_accuracy"], 4)
    with open(os.path.join(package, "config.json"), "w") as file:
        json.dump(config, file, indent=2)
    shutil.copy(os.path.join(CODE_DIR, "model", "customize_service.py"), package)
    with open(os.path.join(FLAGS.train_url, "metrics.json"), "w") as file:
        json.dump(metrics, file, indent=2)


def main(_):
    tf.set_random_seed(SEED)
    train_images, train_labels = read_digits("train")
    test_images, test_labels = read_digits("t10k")

    images = tf.placeholder(tf.float32, [None, PIXELS], name="images")
    labels = tf.placeholder(tf.int64, [None], name="labels")
    scores = network(images)
    loss = tf.losses.sparse_softmax_cross_entropy(labels, scores)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(scores, 1), labels), tf.float32))
    train_step = tf.train.AdamOptimizer(FLAGS.learning_rate).minimize(loss)
    tf.summary.scalar("loss", loss)
    tf.summary.scalar("accuracy", accuracy)
    summaries = tf.summary.merge_all()

    saver = tf.train.Saver(max_to_keep=2)
    checkpoint = os.path.join(FLAGS.train_url, "mnist")
    started = time.time()
    with tf.Session() as session, tf.summary.FileWriter(FLAGS.train_url, session.graph, flush_secs=1) as writer:
        session.run(tf.global_variables_initializer())
        for step, batch in zip(range(1, FLAGS.max_steps + 1), batches(train_images, train_labels)):
            feed = dict(zip((images, labels), batch))
            if step % LOG_EVERY and step != FLAGS.max_steps:
                session.run(train_step, feed)
                continue
            summary, value, right, _ = session.run([summaries, loss, accuracy, train_step], feed)
            writer.add_summary(summary, step)
            speed = step * FLAGS.batch_size / (time.time() - started)
            print("step=%d loss=%.4f accuracy=%.4f %.0f samples/sec" % (step, value, right, speed), flush=True)
            saver.save(session, checkpoint, global_step=step)
        metrics = {
            "validation_accuracy": evaluate(session, accuracy, (images, labels), test_images, test_labels),
            "steps": FLAGS.max_steps,
            "seconds": round(time.time() - started, 1),
        }
        print("Validation-accuracy=%.6f" % metrics["validation_accuracy"])
        export(session, images, scores, metrics)
    print("Finished:", json.dumps(metrics))


if __name__ == "__main__":
    tf.app.run()
