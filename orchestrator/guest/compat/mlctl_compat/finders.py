"""Import hooks: modules that TensorFlow 2 does not have any more, TensorFlow 1's names in it, and a mended Caffe."""

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


class Overlaid(object):
    """Finds a module as others do, and lays something over it once it is loaded."""

    def __init__(self, name, overlay):
        self._name = name
        self._overlay = overlay

    def find_spec(self, fullname, path=None, target=None):
        """Return how to load the module."""
        if fullname != self._name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = self._run(spec.loader.exec_module)
        return spec

    def _run(self, exec_module):
        def run(module):
            exec_module(module)
            self._overlay(sys.modules[self._name])

        return run


def _tensorflow(module):
    from mlctl_compat import tf1

    tf1.overlay(module)


def _caffe_io(module):
    from mlctl_compat import caffe_io

    caffe_io.overlay(module)


def install(tf1):
    """Add the hooks to Python's own."""
    sys.meta_path.append(Tutorials)
    sys.meta_path.insert(0, Overlaid("caffe.io", _caffe_io))
    if tf1:
        sys.meta_path.insert(0, Overlaid("tensorflow", _tensorflow))
