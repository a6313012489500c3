"""Datasets: named, versioned trees of files in the store, pushed from folders or imported from a catalog."""

from orchestrator.datasets.datasets import Datasets

__all__ = ["Datasets"]
