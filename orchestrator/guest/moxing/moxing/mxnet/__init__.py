"""`import moxing.mxnet as mox`: what scripts for MXNet use of MoXing. MXNet itself takes URLs from then on."""

import sys

from moxing import uncovered
from moxing.framework import file
from moxing.framework.flags import get_flag, set_flag
from moxing.mxnet.urls import take_urls

__all__ = ["file", "get_flag", "set_flag"]

take_urls()
sys.modules[__name__ + ".file"] = file
uncovered.guard(__name__)
