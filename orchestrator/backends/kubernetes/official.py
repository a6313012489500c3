"""The official client without what its packages load unasked: some 700 models and 60 APIs, of which we need none.

They are half of the time that a command takes. So the packages that load them are entered into `sys.modules` without
running their `__init__`, which does nothing but import names. Whoever wants one of these names gets it imported at that
moment, so that a program that uses both mlctl and the whole client notices nothing. That needs no lock beside those of
`import` itself: one that is held while something is imported could be waited for by what is imported.
"""

import functools
import importlib.util
import re
import sys
import threading
from importlib import import_module
from types import ModuleType
from typing import Any

_LAZY = ("kubernetes", "kubernetes.client", "kubernetes.client.models")
_IMPORT = re.compile(r"^from (\.|\w[\w.]*) import (\w+)$", re.MULTILINE)
_CONSTANT = re.compile(r"""^(__\w+__) = ["'](.*)["']$""", re.MULTILINE)
_lock = threading.Lock()


class _Package(ModuleType):
    """A package whose `__init__` is never run."""

    def __getattr__(self, name: str) -> Any:
        found: Any
        constants, modules = _contents(self.__name__)
        if name == "__all__":
            return list(modules)
        if name in constants:
            found = constants[name]
        elif modules.get(name, ".") != ".":
            found = getattr(import_module(modules[name]), name)
        else:
            whole = f"{self.__name__}.{name}"
            if name.startswith("__") or importlib.util.find_spec(whole) is None:
                raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
            found = import_module(whole)
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        constants, modules = _contents(self.__name__)
        return sorted({*self.__dict__, *constants, *modules})


@functools.cache
def _contents(package: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the constants of a package's `__init__`, and the module that each other name in it comes from."""
    spec = sys.modules[package].__spec__
    source: str = (spec and spec.loader and spec.loader.get_source(package)) or ""  # type: ignore[attr-defined]
    return dict(_CONSTANT.findall(source)), {name: module for module, name in _IMPORT.findall(source)}


def load_lightly() -> None:
    """Make `kubernetes.client` and `kubernetes.config` importable in a third of the time, if nobody has them yet."""
    with _lock:  # nothing is imported in here
        if "kubernetes" in sys.modules:
            return
        for name in _LAZY:
            spec = importlib.util.find_spec(name)
            assert spec is not None
            package = importlib.util.module_from_spec(spec)
            package.__class__ = _Package
            sys.modules[name] = package
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, package)
