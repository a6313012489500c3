"""mlctl: a training script, a dataset and one YAML file become numbered model versions."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> Any:
    """Load the client on first use, so that `import orchestrator` stays cheap."""
    if name == "Client":
        from orchestrator.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
