"""For training scripts:  import mlctl;  mlctl.log(step=100, loss=0.21, accuracy=0.93)

Started without mlctl, as by hand, a call does nothing.
"""

import json
import os
import time


def log(step=None, **values):
    """Tell what was measured.

    Args:
        step: Step or epoch it belongs to; by default its place in the series.
        values: Metrics by name: numbers, or what has one, as arrays and tensors of one element.

    Raises:
        TypeError: A value is no number.
    """
    path = os.environ.get("MLCTL_METRICS")
    if not path:
        return
    row = {name: _number(name, value) for name, value in values.items()}
    if step is not None:
        row["step"] = int(step)
    row["time"] = time.time()
    # One write at the end of the file: processes that call at the same time do not mix their lines.
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(file, (json.dumps(row) + "\n").encode("utf-8"))
    finally:
        os.close(file)


def _number(name, value):
    try:
        return float(value)
    except (TypeError, ValueError):
        pass
    try:  # an array is asked for its one element: NumPy of today, and MXNet, make no number of it themselves
        ways = [getattr(value, way) for way in ("asnumpy", "numpy") if hasattr(value, way)]
        return float((ways[0]() if ways else value).item())
    except (AttributeError, TypeError, ValueError):
        raise TypeError("mlctl.log takes numbers, and %s is %r" % (name, value))
