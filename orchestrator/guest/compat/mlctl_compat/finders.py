"""Import hooks: modules that TensorFlow 2 does not have any more, and TensorFlow 1's names in it."""

import importlib.machinery
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_TUTORIALS = "tensorflow.examples.tutorials.mnist"
# Module: the file it comes from; empty packages have none.
_FILES = {
    "tensorflow.examples": None,
    "tensorflow.examples.tutorials": None,
    _TUTORIALS: None,
    _TUTORIALS + ".input_data": os.path.join(_HERE, "input_data.py"),
}


class Tutorials(object):
    """Finds the tutorials' modules; asked last, so a TensorFlow that has them is not touched."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        """Return how to load one of our modules."""
        if fullname not in _FILES:
            return None
        if _FILES[fullname] is None:
            return importlib.machinery.ModuleSpec(fullname, Tutorials, is_package=True)
        from importlib.util import spec_from_file_location  # slow, and not needed before

        return spec_from_file_location(fullname, _FILES[fullname])

    @staticmethod
    def create_module(spec):
        """Let Python make the module."""

    @staticmethod
    def exec_module(module):
        """Leave it empty."""


class TensorFlow1(object):
    """Finds `tensorflow` as others do, and lays TensorFlow 1's names over it once it is loaded."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        """Return how to load `tensorflow`."""
        if fullname != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = _overlaid(spec.loader.exec_module)
        return spec


def _overlaid(exec_module):
    def run(module):
        exec_module(module)
        from mlctl_compat import tf1

        tf1.overlay(sys.modules["tensorflow"])

    return run


def install(tf1):
    """Add the hooks to Python's own."""
    sys.meta_path.append(Tutorials)
    if tf1:
        sys.meta_path.insert(0, TensorFlow1)
