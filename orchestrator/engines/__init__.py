"""Engines: the catalog of framework environments, and their local form."""

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
