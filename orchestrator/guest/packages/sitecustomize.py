"""Python runs this before any script: it adds the packages of pip-requirements.txt behind the engine's own."""

import os
import sys

import mlctl_packages


def _go_on():
    """Run the sitecustomize that this one hides, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    folders = [os.path.abspath(folder) for folder in sys.path]
    for folder in folders[folders.index(here) + 1 :]:
        path = os.path.join(folder, "sitecustomize.py")
        if os.path.isfile(path):
            with open(path, "rb") as file:
                exec(compile(file.read(), path, "exec"), {"__name__": "sitecustomize", "__file__": path})
            return


_go_on()
if "MLCTL_PACKAGES" in os.environ:
    mlctl_packages.add(os.environ["MLCTL_PACKAGES"])
