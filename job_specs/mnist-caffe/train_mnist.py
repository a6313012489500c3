"""Recognise handwritten digits with LeNet, in Caffe.

Reads the four unpacked MNIST files from --data_url. Writes to --train_url: the network and its solver as prototxt,
snapshots, metrics.json, and model/, a package that can be registered and deployed as it is.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "1")  # warnings and errors; must be set before Caffe is imported
import caffe  # noqa: E402
import lmdb  # noqa: E402
import numpy as np  # noqa: E402
from caffe import layers, params  # noqa: E402
from caffe.proto import caffe_pb2  # noqa: E402

CODE_DIR = Path(__file__).resolve().parent
SCALE = 1 / 256  # of the pixels; the service has the same
TEST_BATCH = 100  # images
LOG_EVERY = 100  # iterations
MAP_SIZE = 1 << 30  # bytes, the most that a database may grow to
SEED = 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_url", required=True, help="folder of the training data")
    parser.add_argument("--train_url", required=True, help="folder for the output")
    parser.add_argument("--max_iter", type=int, default=1000, help="batches to learn from")
    parser.add_argument("--batch_size", type=int, default=64, help="images per iteration")
    parser.add_argument("--base_lr", type=float, default=0.01, help="learning rate at the start")
    return parser.parse_args()


def convert(data_dir, subset, database):
    """Write the digits (idx files: a header, then bytes) into a database that Caffe's data layer reads."""
    images = np.fromfile(data_dir / f"{subset}-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 1, 28, 28)
    labels = np.fromfile(data_dir / f"{subset}-labels-idx1-ubyte", np.uint8)[8:]
    with lmdb.open(str(database), map_size=MAP_SIZE, sync=False) as environment, environment.begin(write=True) as rows:
        for number, (image, label) in enumerate(zip(images, labels)):
            rows.put(b"%08d" % number, caffe.io.array_to_datum(image, int(label)).SerializeToString())
    return len(images)


def lenet(net, data):
    """Add LeNet's layers to a network, from the images to ten scores."""
    rates = {"param": [{"lr_mult": 1}, {"lr_mult": 2}], "weight_filler": {"type": "xavier"}}
    net.conv1 = layers.Convolution(data, num_output=20, kernel_size=5, **rates)
    net.pool1 = layers.Pooling(net.conv1, pool=params.Pooling.MAX, kernel_size=2, stride=2)
    net.conv2 = layers.Convolution(net.pool1, num_output=50, kernel_size=5, **rates)
    net.pool2 = layers.Pooling(net.conv2, pool=params.Pooling.MAX, kernel_size=2, stride=2)
    net.ip1 = layers.InnerProduct(net.pool2, num_output=500, **rates)
    net.relu1 = layers.ReLU(net.ip1, in_place=True)
    net.ip2 = layers.InnerProduct(net.ip1, num_output=10, **rates)


def trainable(database, batch_size):
    """Return the network that reads digits and compares its scores with their labels."""
    net = caffe.NetSpec()
    source = {"source": str(database), "batch_size": batch_size, "backend": params.Data.LMDB}
    net.data, net.label = layers.Data(ntop=2, transform_param={"scale": SCALE}, **source)
    lenet(net, net.data)
    net.loss = layers.SoftmaxWithLoss(net.ip2, net.label)
    net.accuracy = layers.Accuracy(net.ip2, net.label)
    return net.to_proto()


def deployable():
    """Return the network that gets one image and gives ten probabilities."""
    net = caffe.NetSpec()
    net.data = layers.Input(shape={"dim": [1, 1, 28, 28]})
    lenet(net, net.data)
    net.prob = layers.Softmax(net.ip2)
    return net.to_proto()


def make_solver(args, train_net, test_net, output_dir):
    """Return how the network learns, as in Caffe's own example of LeNet."""
    solver = caffe_pb2.SolverParameter(
        train_net=str(train_net), test_net=[str(test_net)], test_iter=[1], test_interval=args.max_iter + 1,
        test_initialization=False, base_lr=args.base_lr, momentum=0.9, weight_decay=0.0005,
        lr_policy="inv", gamma=0.0001, power=0.75, max_iter=args.max_iter,
        snapshot=max(1, args.max_iter // 2), snapshot_prefix=str(output_dir / "lenet"),
        random_seed=SEED, solver_mode=caffe_pb2.SolverParameter.CPU,
    )  # fmt: skip
    (output_dir / "lenet_solver.prototxt").write_text(str(solver))
    return caffe.get_solver(str(output_dir / "lenet_solver.prototxt"))


def train(solver, args):
    """Take all steps, with a line of log now and then."""
    started = time.time()
    for step in range(0, args.max_iter, LOG_EVERY):
        solver.step(min(LOG_EVERY, args.max_iter - step))
        loss, accuracy = (float(solver.net.blobs[name].data) for name in ("loss", "accuracy"))
        speed = solver.iter * args.batch_size / (time.time() - started)
        print(f"Iteration {solver.iter}, loss={loss:.4f} accuracy={accuracy:.4f} {speed:.0f} samples/sec", flush=True)


def evaluate(net, batches):
    """Return the share of images that the network recognises."""
    # What forward returns is overwritten by the next one.
    return sum(float(net.forward()["accuracy"]) for _ in range(batches)) / batches


def export(solver, metrics, output_dir):
    """Write model/: the network for one image, its weights, and how a service uses them."""
    package = output_dir / "model"
    shutil.copytree(CODE_DIR / "model", package, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    (package / "lenet_deploy.prototxt").write_text(str(deployable()))
    solver.net.save(str(package / "lenet.caffemodel"))
    config = json.loads((package / "config.json").read_text())
    config["metrics"]["accuracy"] = round(metrics["validation_accuracy"], 4)
    (package / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (output_dir / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def main():
    args = parse_arguments()
    output_dir = Path(args.train_url)
    output_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.environ.get("DLS_LOCAL_CACHE_PATH")) as scratch:
        nets, images = {}, {}
        for subset, batch_size in (("train", args.batch_size), ("t10k", TEST_BATCH)):
            images[subset] = convert(Path(args.data_url), subset, Path(scratch, subset))
            nets[subset] = output_dir / f"lenet_{subset}.prototxt"
            nets[subset].write_text(str(trainable(Path(scratch, subset), batch_size)))
        solver = make_solver(args, nets["train"], nets["t10k"], output_dir)

        started = time.time()
        train(solver, args)
        solver.test_nets[0].share_with(solver.net)
        metrics = {
            "validation_accuracy": evaluate(solver.test_nets[0], images["t10k"] // TEST_BATCH),
            "iterations": args.max_iter,
            "seconds": round(time.time() - started, 1),
        }
    print("Validation-accuracy={validation_accuracy:.6f}".format(**metrics))
    export(solver, metrics, output_dir)
    print("Finished:", json.dumps(metrics))


if __name__ == "__main__":
    main()
