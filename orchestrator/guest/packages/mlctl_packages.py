"""Packages that were installed with a prefix, behind all that Python has."""

import glob
import os
import site


def add(prefix):
    """Let Python find what was installed with a prefix; Debian's Pythons have a layout of their own."""
    for pattern in ("lib*/python*/*-packages", "local/lib*/python*/*-packages"):
        for folder in sorted(glob.glob(os.path.join(prefix, pattern))):
            if not os.path.islink(os.path.dirname(os.path.dirname(folder))):  # lib64 may be lib
                site.addsitedir(folder)
