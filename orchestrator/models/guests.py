"""What the process of a model brings into the engine's Python: see docs/architecture.md."""

from pathlib import Path

_HERE = Path(__file__).parents[1] / "guest"
# Entries of its PYTHONPATH; in a pod they are one folder.
GUESTS = (_HERE / "serving", _HERE / "packages")
