"""Recognise handwritten digits with softmax regression, the smallest network there is, in TensorFlow 1.

It learns in seconds, which makes it good to see what loss, steps, optimizer and learning rate do. Reads the four
unpacked MNIST files from --data_url. Writes to --train_url: event files for TensorBoard, metrics.json, and model/, a
package that can be registered and deployed as it is.
"""

import json
import logging
import os
import shutil

import numpy as np
import tensorflow as tf

LOSSES = {
    # The mean square of what the probabilities are off: steep in the middle, flat where the network is quite wrong.
    "quadratic": lambda labels, scores: tf.reduce_mean(tf.square(labels - tf.nn.softmax(scores))),
    # The logarithm of the right digit's probability: the more wrong, the steeper.
    "cross_entropy": lambda labels, scores: tf.losses.softmax_cross_entropy(labels, scores),
}
OPTIMIZERS = {
    "sgd": tf.train.GradientDescentOptimizer,
    "momentum": lambda rate: tf.train.MomentumOptimizer(rate, momentum=0.9),
    "adam": tf.train.AdamOptimizer,
}
tf.flags.DEFINE_string("data_url", None, "folder of the training data", required=True)
tf.flags.DEFINE_string("train_url", None, "folder for the output", required=True)
tf.flags.DEFINE_enum("loss", "quadratic", sorted(LOSSES), "what is made small")
tf.flags.DEFINE_integer("max_steps", 1500, "batches to learn from")
tf.flags.DEFINE_enum("optimizer", "sgd", sorted(OPTIMIZERS), "how it is made small")
tf.flags.DEFINE_float("learning_rate", 0.5, "how far one step goes")
tf.flags.DEFINE_integer("batch_size", 50, "images per step")
tf.flags.DEFINE_integer("seed", 1, "of the order of the images")
FLAGS = tf.flags.FLAGS
logging.getLogger("tensorflow").setLevel(logging.ERROR)  # else each name that TensorFlow 2 has changed is a warning

CODE_DIR = os.path.dirname(os.path.abspath(__file__))
PIXELS = 28 * 28
DIGITS = 10
LOG_EVERY = 100  # steps


def read_digits(subset):
    """Return the images, rows of 784 values from 0 to 1, and rows with a 1 for the right digit."""
    pixels = np.fromfile(os.path.join(FLAGS.data_url, subset + "-images-idx3-ubyte"), np.uint8)[16:]
    labels = np.fromfile(os.path.join(FLAGS.data_url, subset + "-labels-idx1-ubyte"), np.uint8)[8:]
    return pixels.reshape(-1, PIXELS).astype(np.float32) / 255, np.eye(DIGITS, dtype=np.float32)[labels]


def batches(images, labels):
    """Yield batches for ever, each time through the images in another order."""
    random = np.random.RandomState(FLAGS.seed)
    while True:
        order = random.permutation(len(images))
        for start in range(0, len(order) - FLAGS.batch_size + 1, FLAGS.batch_size):
            chosen = order[start : start + FLAGS.batch_size]
            yield images[chosen], labels[chosen]


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
    train_set, test_set = read_digits("train"), read_digits("t10k")

    images = tf.placeholder(tf.float32, [None, PIXELS], name="images")
    labels = tf.placeholder(tf.float32, [None, DIGITS], name="labels")
    weights = tf.Variable(tf.zeros([PIXELS, DIGITS]), name="weights")
    biases = tf.Variable(tf.zeros([DIGITS]), name="biases")
    scores = tf.matmul(images, weights) + biases
    loss = LOSSES[FLAGS.loss](labels, scores)
    train_step = OPTIMIZERS[FLAGS.optimizer](FLAGS.learning_rate).minimize(loss)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(scores, 1), tf.argmax(labels, 1)), tf.float32))
    tf.summary.scalar("loss", loss)
    tf.summary.scalar("accuracy", accuracy)
    summaries = tf.summary.merge_all()

    with tf.Session() as session, tf.summary.FileWriter(FLAGS.train_url, session.graph, flush_secs=1) as writer:
        session.run(tf.global_variables_initializer())
        for step, batch in zip(range(1, FLAGS.max_steps + 1), batches(*train_set)):
            session.run(train_step, dict(zip((images, labels), batch)))
            if step % LOG_EVERY == 0 or step == FLAGS.max_steps:
                summary, value, right = session.run([summaries, loss, accuracy], dict(zip((images, labels), test_set)))
                writer.add_summary(summary, step)
                print("step=%d loss=%.4f Validation-accuracy=%.4f" % (step, value, right), flush=True)
        metrics = {
            "validation_accuracy": float(right),
            "loss": FLAGS.loss,
            "steps": FLAGS.max_steps,
            "optimizer": FLAGS.optimizer,
            "learning_rate": FLAGS.learning_rate,
        }
        export(session, images, scores, metrics)
    print("Finished:", json.dumps(metrics))


if __name__ == "__main__":
    tf.app.run()
