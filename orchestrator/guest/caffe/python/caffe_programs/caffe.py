"""The program `caffe`: trains and tests networks, with the flags and the log lines of Caffe's own."""

import sys

from caffe_programs import flags

FLAGS = {
    "gpu": "",
    "solver": "",
    "model": "",
    "snapshot": "",
    "weights": "",
    "iterations": 50,
    "sigint_effect": "stop",
    "sighup_effect": "snapshot",
}
USAGE = """usage: caffe.bin <command> <flags>

commands:
  train           train or finetune a model: -solver FILE [-snapshot FILE | -weights FILE,...]
  test            score a model: -model FILE -weights FILE [-iterations 50]
  device_query    show the GPUs"""


def main():
    """Run the program."""
    options, words = flags.parse(sys.argv[1:], FLAGS)
    command = words[0] if len(words) == 1 else ""
    if command == "train":
        from caffe_programs.train import train

        train(options)
    elif command == "test":
        from caffe_programs.test import test

        test(options)
    elif command == "device_query":
        sys.exit("caffe: this build computes on the CPU, it sees no GPUs")
    else:
        sys.exit(USAGE)
