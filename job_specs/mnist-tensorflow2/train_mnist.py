"""Recognise handwritten digits with a small convolutional network, in Keras on TensorFlow 2.

Reads the four unpacked MNIST files from --data_url. Writes to --train_url: event files for TensorBoard, a
checkpoint per epoch, metrics.json, and model/, a package that can be registered and deployed as it is.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

CODE_DIR = Path(__file__).resolve().parent
PIXELS = 28 * 28
LOG_EVERY = 100  # batches
SEED = 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_url", required=True, help="folder of the training data")
    parser.add_argument("--train_url", required=True, help="folder for the output")
    parser.add_argument("--num_epochs", type=int, default=2)
    parser.add_argument("--batch_size", type=int, default=128, help="images per step")
    parser.add_argument("--learning_rate", type=float, default=0.002, help="of the Adam optimizer")
    return parser.parse_args()


def read_digits(data_dir, subset):
    """Return the images, rows of 784 values from 0 to 1, and their labels (the idx format: a header, then bytes)."""
    pixels = np.fromfile(data_dir / f"{subset}-images-idx3-ubyte", np.uint8, offset=16)
    labels = np.fromfile(data_dir / f"{subset}-labels-idx1-ubyte", np.uint8, offset=8)
    return pixels.reshape(-1, PIXELS).astype(np.float32) / 255, labels


def network():
    """Return the model: 784 pixels in, ten probabilities out."""
    return keras.Sequential(
        [
            keras.Input((PIXELS,), name="images"),
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(8, kernel_size=5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, kernel_size=5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax", name="probabilities"),
        ]
    )


class Log(keras.callbacks.Callback):
    """Prints lines, where Keras draws a bar for a terminal."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (batch + 1) % LOG_EVERY == 0:
            print(f"Epoch[{self.epoch}] Batch [{batch + 1}] loss={logs['loss']:.4f} accuracy={logs['accuracy']:.4f}")

    def on_epoch_end(self, epoch, logs=None):
        print(f"Epoch[{epoch}] Train-accuracy={logs['accuracy']:.6f} Validation-accuracy={logs['val_accuracy']:.6f}")


def export(model, metrics, output_dir):
    """Write model/: the network as a SavedModel, and how a service uses it."""
    package = output_dir / "model"
    archive = keras.export.ExportArchive()
    archive.track(model)
    # The names of the signature are those that the service uses.
    archive.add_endpoint(
        "serving_default",
        lambda images: {"probabilities": model(images, training=False)},
        input_signature=[tf.TensorSpec([None, PIXELS], tf.float32, name="images")],
    )
    archive.write_out(package, verbose=False)
    shutil.copy(CODE_DIR / "model" / "customize_service.py", package)
    config = json.loads((CODE_DIR / "model" / "config.json").read_text())
    config["metrics"]["accuracy"] = round(metrics["validation_accuracy"], 4)
    (package / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (output_dir / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def main():
    args = parse_arguments()
    keras.utils.set_random_seed(SEED)
    output_dir = Path(args.train_url)
    train_set = read_digits(Path(args.data_url), "train")
    test_set = read_digits(Path(args.data_url), "t10k")
    model = network()
    model.compile(
        optimizer=keras.optimizers.Adam(args.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    started = time.time()
    history = model.fit(
        *train_set,
        batch_size=args.batch_size,
        epochs=args.num_epochs,
        validation_data=test_set,
        verbose=0,
        callbacks=[
            Log(),
            keras.callbacks.ModelCheckpoint(str(output_dir / "mnist-{epoch:04d}.keras")),
            keras.callbacks.TensorBoard(str(output_dir), update_freq=LOG_EVERY),
        ],
    ).history
    metrics = {
        "train_accuracy": history["accuracy"][-1],
        "validation_accuracy": history["val_accuracy"][-1],
        "epochs": args.num_epochs,
        "seconds": round(time.time() - started, 1),
    }
    export(model, metrics, output_dir)
    print("Finished:", json.dumps(metrics))


if __name__ == "__main__":
    main()
