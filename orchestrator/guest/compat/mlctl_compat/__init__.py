"""What old scripts expect of a Python: modules that newer frameworks lack, and an idiom of Python 2."""

import sys


def prepare(wanted):
    """Set up the hooks. They cost a script that needs none of them next to nothing.

    Args:
        wanted: `tf1`, or nothing.
    """
    if sys.version_info < (3, 4):  # frameworks of that time have all that their scripts import
        return
    from mlctl_compat import finders, sorting

    finders.install(wanted == "tf1")
    script = sorting.started_script()
    if script and sorting.uses_cmp(script):
        sorting.install()
