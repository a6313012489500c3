"""`import moxing.pytorch as mox`: what scripts for PyTorch use of MoXing."""

import sys

from moxing import uncovered
from moxing.framework import file
from moxing.framework.flags import get_flag, set_flag
from moxing.pytorch import dist
from moxing.pytorch.executor.run import run

__all__ = ["dist", "file", "get_flag", "run", "set_flag"]

sys.modules[__name__ + ".file"] = file
uncovered.guard(__name__)
