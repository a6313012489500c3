"""Recognise handwritten digits with a small convolutional network, in PyTorch.

Reads the four unpacked MNIST files from --data_url. Writes to --train_url: a checkpoint per epoch,
metrics.json, and model/, a package that can be registered and deployed as it is.
"""

import argparse
import json
import math
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from model.network import DigitNetwork
from torch.nn import functional

CODE_DIR = Path(__file__).resolve().parent
MOMENTUM = 0.9
LOG_EVERY = 100  # batches
SEED = 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_url", required=True, help="folder of the training data")
    parser.add_argument("--train_url", required=True, help="folder for the output")
    parser.add_argument("--num_epochs", type=int, default=4)
    parser.add_argument("--batch_size", type=int, default=64, help="images per step")
    parser.add_argument("--lr", type=float, default=0.05, help="learning rate at its highest")
    parser.add_argument("--num_gpus", type=int, default=0, help="0 trains on the CPU")
    return parser.parse_args()


def read_digits(data_dir, subset, device):
    """Return the images, values from 0 to 1, and their labels (the idx format: a header, then bytes)."""
    pixels = np.fromfile(data_dir / f"{subset}-images-idx3-ubyte", np.uint8, offset=16)
    labels = np.fromfile(data_dir / f"{subset}-labels-idx1-ubyte", np.uint8, offset=8)
    images = torch.from_numpy(pixels).reshape(-1, 1, 28, 28).to(device).float() / 255
    return images, torch.from_numpy(labels).to(device).long()


def train_epoch(epoch, network, optimizer, schedule, images, labels, batch_size):
    """Go once through the images in random order; return the share that was recognised on the way."""
    network.train()
    batches = torch.randperm(len(images), device=images.device).split(batch_size)
    correct = 0
    started = time.time()
    for number, batch in enumerate(batches, start=1):
        optimizer.zero_grad()
        scores = network(images[batch])
        loss = functional.cross_entropy(scores, labels[batch])
        loss.backward()
        optimizer.step()
        schedule.step()
        correct += (scores.argmax(1) == labels[batch]).sum().item()
        if number % LOG_EVERY == 0:
            speed = number * batch_size / (time.time() - started)
            print(f"Epoch[{epoch}] Batch [{number}/{len(batches)}] loss={loss:.4f} {speed:.0f} samples/sec", flush=True)
    return correct / len(images)


@torch.no_grad()
def accuracy(network, images, labels, batch_size=1000):
    """Return the share of images that the network recognises."""
    network.eval()
    batches = zip(images.split(batch_size), labels.split(batch_size))
    return sum((network(image).argmax(1) == label).sum().item() for image, label in batches) / len(images)


def export(network, metrics, output_dir):
    """Write model/: parameters, network, and how a service uses them."""
    package = output_dir / "model"
    shutil.copytree(CODE_DIR / "model", package, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    torch.save(network.cpu().state_dict(), package / "mnist.pt")
    config = json.loads((package / "config.json").read_text())
    config["metrics"]["accuracy"] = round(metrics["validation_accuracy"], 4)
    (package / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (output_dir / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def main():
    args = parse_arguments()
    torch.manual_seed(SEED)
    output_dir = Path(args.train_url)
    output_dir.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if args.num_gpus else "cpu")
    train_set = read_digits(Path(args.data_url), "train", device)
    test_set = read_digits(Path(args.data_url), "t10k", device)
    network = DigitNetwork().to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=args.lr, momentum=MOMENTUM)
    # The rate rises to --lr and falls to almost nothing: small steps at the end are worth half a percent.
    steps = math.ceil(len(train_set[0]) / args.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, epochs=args.num_epochs, steps_per_epoch=steps)

    started = time.time()
    for epoch in range(args.num_epochs):
        train_accuracy = train_epoch(epoch, network, optimizer, schedule, *train_set, args.batch_size)
        test_accuracy = accuracy(network, *test_set)
        print(f"Epoch[{epoch}] Train-accuracy={train_accuracy:.6f} Validation-accuracy={test_accuracy:.6f}", flush=True)
        torch.save(network.state_dict(), output_dir / f"mnist-{epoch + 1:04d}.pt")
    metrics = {
        "train_accuracy": train_accuracy,
        "validation_accuracy": test_accuracy,
        "epochs": args.num_epochs,
        "seconds": round(time.time() - started, 1),
    }
    export(network, metrics, output_dir)
    print("Finished:", json.dumps(metrics))


if __name__ == "__main__":
    main()
