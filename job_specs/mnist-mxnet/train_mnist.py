"""Recognise handwritten digits with a multilayer perceptron, in MXNet's Module API.

Reads the four unpacked MNIST files from --data_url. Writes to --train_url: a checkpoint per epoch,
metrics.json, and model/, a package that can be registered and deployed as it is.
"""

import argparse
import json
import logging
import shutil
import time
from pathlib import Path

import mxnet as mx

CODE_DIR = Path(__file__).resolve().parent
LOG_EVERY = 100  # batches


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_url", required=True, help="folder of the training data")
    parser.add_argument("--train_url", required=True, help="folder for the output")
    parser.add_argument("--num_epochs", type=int, default=8)
    parser.add_argument("--batch_size", type=int, default=128, help="images per step")
    parser.add_argument("--lr", type=float, default=0.1, help="learning rate")
    parser.add_argument("--num_gpus", type=int, default=0, help="0 trains on the CPU")
    parser.add_argument("--kv_store", default="local", help="how several GPUs or nodes share parameters")
    return parser.parse_args()


def digits(data_dir, subset, batch_size, shuffle):
    """Iterate over 28x28 images with values from 0 to 1, and their labels."""
    return mx.io.MNISTIter(
        image=str(data_dir / f"{subset}-images-idx3-ubyte"),
        label=str(data_dir / f"{subset}-labels-idx1-ubyte"),
        batch_size=batch_size,
        shuffle=shuffle,
    )


def perceptron():
    """Return the network: 784 inputs, two hidden layers, ten probabilities."""
    layer = mx.sym.flatten(mx.sym.Variable("data"))
    for number, width in enumerate((128, 64), start=1):
        layer = mx.sym.FullyConnected(layer, num_hidden=width, name=f"fc{number}")
        layer = mx.sym.Activation(layer, act_type="relu", name=f"relu{number}")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(layer, num_hidden=10, name="fc3"), name="softmax")


def train(module, train_data, test_data, args, output_dir):
    """Train, logging accuracy and speed as MXNet does."""
    module.fit(
        train_data,
        eval_data=test_data,
        eval_metric="accuracy",
        num_epoch=args.num_epochs,
        kvstore=args.kv_store,
        # With MXNet's default initializer the first epochs learn almost nothing.
        initializer=mx.init.Xavier(),
        optimizer="sgd",
        optimizer_params={"learning_rate": args.lr},
        batch_end_callback=mx.callback.Speedometer(args.batch_size, LOG_EVERY),
        epoch_end_callback=mx.callback.do_checkpoint(str(output_dir / "mnist")),
    )


def export(module, metrics, output_dir):
    """Write model/: network, parameters, and how a service uses them."""
    package = output_dir / "model"
    shutil.copytree(CODE_DIR / "model", package, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    module.save_checkpoint(str(package / "mnist"), 0)  # mnist-symbol.json, mnist-0000.params
    config = json.loads((package / "config.json").read_text())
    config["metrics"]["accuracy"] = round(metrics["validation_accuracy"], 4)
    (package / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (output_dir / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def main():
    args = parse_arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    output_dir = Path(args.train_url)
    output_dir.mkdir(parents=True, exist_ok=True)
    train_data = digits(Path(args.data_url), "train", args.batch_size, shuffle=True)
    test_data = digits(Path(args.data_url), "t10k", args.batch_size, shuffle=False)
    devices = [mx.gpu(number) for number in range(args.num_gpus)] or [mx.cpu()]
    module = mx.mod.Module(perceptron(), context=devices)

    started = time.time()
    train(module, train_data, test_data, args, output_dir)
    metrics = {
        "train_accuracy": module.score(train_data, "accuracy")[0][1],
        "validation_accuracy": module.score(test_data, "accuracy")[0][1],
        "epochs": args.num_epochs,
        "seconds": round(time.time() - started, 1),
    }
    export(module, metrics, output_dir)
    logging.info("Finished: %s", json.dumps(metrics))


if __name__ == "__main__":
    main()
