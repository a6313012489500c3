"""Engines: the catalog of framework environments, and their local form. What is not used is not loaded."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.engines.build import python_here
    from orchestrator.engines.catalog import Engine, get_engine, list_engines
    from orchestrator.engines.environment import EnvironmentState, ensure_environment, environment_state
    from orchestrator.engines.uv import EngineBuildError

__all__ = [
    "Engine",
    "EngineBuildError",
    "EnvironmentState",
    "ensure_environment",
    "environment_state",
    "get_engine",
    "list_engines",
    "python_here",
]
_HOMES = {
    "python_here": "build",
    "Engine": "catalog",
    "get_engine": "catalog",
    "list_engines": "catalog",
    "EnvironmentState": "environment",
    "ensure_environment": "environment",
    "environment_state": "environment",
    "EngineBuildError": "uv",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
