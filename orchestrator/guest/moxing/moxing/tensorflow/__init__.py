"""`import moxing.tensorflow as mox`: training with the graphs of TensorFlow 1, also on TensorFlow 2."""

import sys

from moxing import uncovered
from moxing.framework import file
from moxing.framework.flags import get_flag, set_flag
from moxing.tensorflow import auto
from moxing.tensorflow.flags import declare
from moxing.tensorflow.optimizer import get_optimizer_fn
from moxing.tensorflow.run import run
from moxing.tensorflow.specs import ExportKeys, ExportSpec, ModeKeys, ModelSpec
from moxing.tensorflow.tfrecord import get_tfrecord

__all__ = [
    "ExportKeys",
    "ExportSpec",
    "ModeKeys",
    "ModelSpec",
    "auto",
    "file",
    "get_flag",
    "get_optimizer_fn",
    "get_tfrecord",
    "run",
    "set_flag",
]

declare()
sys.modules[__name__ + ".file"] = file
uncovered.guard(__name__)
