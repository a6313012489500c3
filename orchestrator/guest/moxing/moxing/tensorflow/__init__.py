"""`import moxing.tensorflow as mox`: what scripts for TensorFlow use of MoXing."""

import sys

from moxing import uncovered
from moxing.framework import file
from moxing.framework.flags import get_flag, set_flag

__all__ = ["file", "get_flag", "set_flag"]

sys.modules[__name__ + ".file"] = file
uncovered.guard(__name__)
