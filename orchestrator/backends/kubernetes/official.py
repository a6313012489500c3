"""The official client without what its packages load unasked: some 700 models and 60 APIs, of which we need none.

They are half of the time that a command takes. So the packages that load them are entered into `sys.modules` without
running their `__init__`; it runs as soon as anybody wants something of them that is not in `_PARTS`, so that a
program that uses both mlctl and the whole client notices nothing.
"""

import importlib.util
import sys
import threading
from importlib import import_module
from types import ModuleType
from typing import Any

# What is wanted here, or by the client's own loader of kubeconfigs, and the module that has it.
_PARTS = {
    "kubernetes.config": "kubernetes.config",
    "kubernetes.client.rest": "kubernetes.client.rest",
    "kubernetes.client.ApiClient": "kubernetes.client.api_client",
    "kubernetes.client.Configuration": "kubernetes.client.configuration",
}
_LAZY = ("kubernetes", "kubernetes.client", "kubernetes.client.models")
_begun: set[str] = set()  # packages whose __init__ somebody wanted after all
_lock = threading.RLock()


class _Package(ModuleType):
    """A package whose `__init__` has not been run yet."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        whole = f"{self.__name__}.{name}"
        if part := _PARTS.get(whole):
            module = import_module(part)
            return module if part == whole else getattr(module, name)
        with _lock:
            if self.__name__ not in _begun:  # by another thread, or by the __init__ that is running in this one
                _begun.add(self.__name__)
                assert self.__spec__ and self.__spec__.loader
                self.__spec__.loader.exec_module(self)
                self.__class__ = ModuleType  # type: ignore[assignment]  # a parent class is as good
        try:
            return self.__dict__[name]
        except KeyError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None


def load_lightly() -> None:
    """Make `kubernetes.client` and `kubernetes.config` importable in a third of the time, if nobody has them yet."""
    with _lock:
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
