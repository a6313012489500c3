"""Flags of the platform: from the command line, and as the script sets them."""

import os
import sys

_set = {}


def _number(name, default):
    return lambda: int(os.environ.get(name) or default)


# What a flag is when neither the command line nor the script says so.
_DEFAULTS = {
    "num_gpus": lambda: max(1, int(os.environ.get("MA_NUM_GPUS") or 0)),  # the CPU counts as one device
    "job_name": lambda: "worker",
    "task_index": _number("VC_TASK_INDEX", 0),
    "ps_hosts": lambda: "",
    "worker_hosts": lambda: os.environ.get("VC_WORKER_HOSTS") or "127.0.0.1",
    "rank": _number("VC_TASK_INDEX", 0),
    "world_size": _number("VC_WORKER_NUM", 1),
    "init_method": lambda: None,
    "data_url": lambda: os.environ.get("DLS_DATA_URL"),
    "train_url": lambda: os.environ.get("DLS_TRAIN_URL"),
}


def get_flag(name):
    """Return a flag: as set, else as `--name=value` on the command line, else what the job says.

    Raises:
        ValueError: There is no such flag.
    """
    if name in _set:
        return _set[name]
    given = _given(name)
    if name not in _DEFAULTS:
        if given is None:
            raise ValueError("there is no flag %r; known: %s" % (name, ", ".join(sorted(_DEFAULTS))))
        return given
    default = _DEFAULTS[name]()
    if given is None:
        return default
    if isinstance(default, int):
        number = int(given)
        return max(1, number) if name == "num_gpus" else number
    return given


def number_of_gpus():
    """Return how many GPUs are used; where it is none, `get_flag("num_gpus")` is 1, for scripts that divide by it."""
    given = _set.get("num_gpus", _given("num_gpus"))
    return int(os.environ.get("MA_NUM_GPUS") or 0) if given is None else int(given)


def set_flag(name, value):
    """Set a flag for this process."""
    _set[name] = value


def _given(name):
    start = "--%s=" % name
    values = [argument[len(start) :] for argument in sys.argv if argument.startswith(start)]
    return values[-1] if values else None
