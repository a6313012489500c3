"""What the process of a model brings into the engine's Python: see docs/architecture.md."""

from pathlib import Path

_HERE = Path(__file__).parents[1] / "guest"
# Entries of its PYTHONPATH; see guest/serving/mlctl_model/host.py for those in a pod.
GUESTS = (_HERE / "serving", _HERE / "packages", _HERE / "compat")
