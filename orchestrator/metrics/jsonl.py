"""Reads `metrics.jsonl`: lines as `{"step": 100, "loss": 0.21}`, which a script writes itself."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

FILE = "metrics.jsonl"
_STEPS = ("step", "global_step", "epoch", "iteration")
_TIMES = ("time", "timestamp", "_timestamp")


class Row(NamedTuple):
    """One line.

    Attributes:
        step: Its step or epoch, where it says so.
        epoch: Whether that is an epoch.
        time: Seconds since the epoch, where it says so.
        values: The metrics.
    """

    step: int | None
    epoch: bool
    time: float | None
    values: dict[str, float]


def read_row(line: bytes) -> Row:
    """Return what a line says. Numbers only; `{"train": {"loss": 1}}` is `train/loss`, true is 1, text is passed over.

    Raises:
        ValueError: It is not a JSON object.
    """
    data = json.loads(line)  # which knows NaN and Infinity, as Python writes them
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    numbers = dict(_numbers("", data))
    key = next((key for key in _STEPS if key in numbers), None)
    moment = next((numbers[key] for key in _TIMES if math.isfinite(numbers.get(key, math.nan))), None)
    values = {name: value for name, value in numbers.items() if name not in (*_STEPS, *_TIMES)}
    step = numbers[key] if key else None
    whole = int(step) if step is not None and abs(step) < 1e15 else None
    return Row(whole, key == "epoch", moment, values)


def _numbers(prefix: str, data: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _numbers(f"{prefix}{key}/", value)
        elif isinstance(value, int | float):
            try:
                yield prefix + key, float(value)
            except OverflowError:
                continue
