"""What NVIDIA's GPUs do, as `nvidia-smi` says: it asks NVML, and is wherever the driver is, in containers as well."""

import subprocess
from contextlib import suppress

# The launcher of a pod (runtime/pod/launch.sh) asks the same, every few seconds.
QUERY = ("nvidia-smi", "--query-gpu=index,utilization.gpu,memory.used", "--format=csv,noheader,nounits")
PATIENCE = 4.0  # seconds
MEBIBYTE = 1 << 20


def gpu_usage() -> dict[str, float]:
    """Return utilisation in per cent and used memory in bytes of each GPU; nothing where none can be asked."""
    try:
        told = subprocess.run(QUERY, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return read_usage(told)


def read_usage(told: str) -> dict[str, float]:
    """Return the same from what `nvidia-smi` printed; of several answers the last of each GPU counts."""
    found: dict[str, float] = {}
    for line in told.splitlines():
        number, *values = (part.strip() for part in line.split(","))
        if number.isdigit() and len(values) == 2:
            with suppress(ValueError):  # [N/A], as some say of parts of a GPU
                found[f"gpu{number}_percent"] = float(values[0])
            with suppress(ValueError):
                found[f"gpu{number}_memory"] = float(values[1]) * MEBIBYTE
    return found
