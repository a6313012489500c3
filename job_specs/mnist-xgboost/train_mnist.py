"""Recognise handwritten digits with boosted trees, in XGBoost.

Reads the four unpacked MNIST files from --data_url. Writes to --train_url: metrics.json, and model/, a package
that can be registered and deployed as it is.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import numpy as np
import xgboost

CODE_DIR = Path(__file__).resolve().parent
DIGITS = 10
SHADES = 16  # that the trees tell apart, of 256
SHARE = 0.5  # of the images, and of the pixels, that a tree is made of
SEED = 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_url", required=True, help="folder of the training data")
    parser.add_argument("--train_url", required=True, help="folder for the output")
    parser.add_argument("--num_epochs", type=int, default=50, help="rounds of boosting, a tree for each digit")
    parser.add_argument("--max_depth", type=int, default=6, help="of a tree")
    parser.add_argument("--lr", type=float, default=0.3, help="learning rate")
    parser.add_argument("--num_gpus", type=int, default=0, help="0 trains on the CPU")
    return parser.parse_args()


def read_digits(data_dir, subset):
    """Return the images, 784 values from 0 to 255 each, and their labels (the idx format: a header, then bytes)."""
    pixels = np.fromfile(data_dir / f"{subset}-images-idx3-ubyte", np.uint8, offset=16)
    labels = np.fromfile(data_dir / f"{subset}-labels-idx1-ubyte", np.uint8, offset=8)
    return pixels.reshape(len(labels), -1).astype(np.float32), labels


def export(booster, metrics, output_dir):
    """Write model/: the trees, and how a service uses them."""
    package = output_dir / "model"
    shutil.copytree(CODE_DIR / "model", package, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    (package / "mnist.m").write_bytes(booster.save_raw("ubj"))
    config = json.loads((package / "config.json").read_text())
    config["metrics"]["accuracy"] = round(metrics["validation_accuracy"], 4)
    (package / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (output_dir / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def main():
    args = parse_arguments()
    output_dir = Path(args.train_url)
    output_dir.mkdir(parents=True, exist_ok=True)
    train_set = xgboost.QuantileDMatrix(*read_digits(Path(args.data_url), "train"), max_bin=SHADES)
    test_set = xgboost.QuantileDMatrix(*read_digits(Path(args.data_url), "t10k"), max_bin=SHADES, ref=train_set)
    settings = {
        "objective": "multi:softprob",
        "num_class": DIGITS,
        "eval_metric": ["mlogloss", "merror"],
        "max_depth": args.max_depth,
        "eta": args.lr,
        "subsample": SHARE,
        "colsample_bytree": SHARE,
        "max_bin": SHADES,
        "device": "cuda" if args.num_gpus else "cpu",
        "seed": SEED,
    }
    started = time.time()
    measured = {}
    booster = xgboost.train(
        settings,
        train_set,
        args.num_epochs,
        evals=[(train_set, "train"), (test_set, "validation")],
        evals_result=measured,
    )
    metrics = {
        "train_accuracy": 1 - measured["train"]["merror"][-1],
        "validation_accuracy": 1 - measured["validation"]["merror"][-1],
        "epochs": args.num_epochs,
        "seconds": round(time.time() - started, 1),
    }
    export(booster, metrics, output_dir)
    print("Finished:", json.dumps(metrics))


if __name__ == "__main__":
    main()
