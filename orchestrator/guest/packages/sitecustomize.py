"""Python runs this before any script: it adds the packages of pip-requirements.txt behind the engine's own."""

import glob
import os
import site
import sys


def _add(prefix):
    """Add what was installed with a prefix; Debian's Pythons have a layout of their own."""
    for pattern in ("lib*/python*/*-packages", "local/lib*/python*/*-packages"):
        for folder in sorted(glob.glob(os.path.join(prefix, pattern))):
            if not os.path.islink(os.path.dirname(os.path.dirname(folder))):  # lib64 may be lib
                site.addsitedir(folder)


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
_add(os.environ.get("MLCTL_PACKAGES", ""))
