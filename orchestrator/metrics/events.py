"""Reads scalars from records of TensorBoard's event files."""

import math
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tensorboardX.proto.summary_pb2 import Summary

HEADER = 12  # bytes before the data of a record
FOOTER = 4  # bytes behind it
_FORMATS = {1: "<f", 2: "<d", 3: "<i", 9: "<q"}  # of TensorFlow's types


class Scalar(NamedTuple):
    """One value of a tag; `time` is in seconds since the epoch."""

    tag: str
    step: int
    time: float
    value: float


def read_scalars(data: bytes) -> Iterator[Scalar]:
    """Return the scalars in whole records; what is no event of this format is passed over."""
    from google.protobuf.message import DecodeError
    from tensorboardX.proto.event_pb2 import Event

    start = 0
    while start + HEADER <= len(data):
        length = struct.unpack_from("<Q", data, start)[0]
        begin = start + HEADER
        start = begin + length + FOOTER
        event = Event()
        try:
            event.ParseFromString(data[begin : begin + length])
        except DecodeError:
            continue
        for value in event.summary.value:
            number = _number(value)
            if number is not None:
                time = event.wall_time if math.isfinite(event.wall_time) else 0.0  # which JSON has no word for
                yield Scalar(value.tag, event.step, time, number)


def _number(value: "Summary.Value") -> float | None:
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value)
    if kind != "tensor":
        return None
    tensor = value.tensor
    if any(dimension.size != 1 for dimension in tensor.tensor_shape.dim):
        return None
    for numbers in (tensor.float_val, tensor.double_val, tensor.int_val, tensor.int64_val):
        if len(numbers) == 1:
            return float(numbers[0])
    layout = _FORMATS.get(tensor.dtype)
    if layout and len(tensor.tensor_content) == struct.calcsize(layout):
        return float(struct.unpack(layout, tensor.tensor_content)[0])
    return None
