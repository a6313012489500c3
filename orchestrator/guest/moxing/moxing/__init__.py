"""MoXing for jobs of mlctl, in the script's own Python (2.7, 3.6 and later): see docs/moxing.md."""

import sys

from moxing import uncovered
from moxing.framework import file
from moxing.framework.flags import get_flag, set_flag

__all__ = ["file", "get_flag", "set_flag"]

sys.modules[__name__ + ".file"] = file
uncovered.guard(__name__)
