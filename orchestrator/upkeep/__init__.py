"""What the store's room is used for, and what of it can be freed."""

from orchestrator.upkeep.upkeep import Upkeep

__all__ = ["Upkeep"]
