"""Arrays as the Open Inference Protocol has them in one piece: numbers as in memory, texts behind their lengths."""

import math
import struct
from http import HTTPStatus
from typing import Any

import numpy as np

from orchestrator.serving.replies import RequestError
from orchestrator.serving.texts import TEXT, texts_of

MOST = 64 << 20  # bytes of an array
_LENGTH = struct.Struct("<I")  # in front of each text


def from_raw(name: str, data: bytes, kind: str, shape: list[int]) -> Any:
    """Return the array of an input.

    Args:
        name: Of the input.
        data: Its values, the least significant byte first.
        kind: NumPy's name of their type.
        shape: Of the array.

    Raises:
        RequestError: They are more or less than the shape has.
    """
    if kind == TEXT:
        return shaped(name, np.array(_texts(name, data), dtype=TEXT), shape)
    size = np.dtype(kind).itemsize
    if len(data) != (wanted := whole(name, shape, size) * size):
        message = f"input {name} of shape {shape} has {len(data)} bytes, and {kind} takes {wanted}"
        raise RequestError(HTTPStatus.BAD_REQUEST, message)
    return np.frombuffer(data, dtype=np.dtype(kind).newbyteorder("<")).reshape(shape)


def to_raw(value: Any) -> bytes:
    """Return the values of an output in one piece."""
    if value.dtype.kind in "biuf":
        return bytes(value.tobytes())
    return b"".join(_LENGTH.pack(len(text)) + text for text in texts_of(value))


def whole(name: str, shape: list[int], itemsize: int) -> int:
    """Return the number of elements of a shape. Raises RequestError for one that no request could hold."""
    if any(size < 0 for size in shape) or math.prod(shape) * itemsize > MOST:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"input {name} cannot have the shape {shape}")
    return math.prod(shape)


def shaped(name: str, flat: Any, shape: list[int]) -> Any:
    """Return an array in its shape. Raises RequestError if it has more or fewer elements."""
    try:
        return flat.reshape(shape)
    except ValueError as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"input {name} is not of shape {shape}: {error}") from error


def _texts(name: str, data: bytes) -> list[bytes]:
    texts, at = [], 0
    while at < len(data):
        start = at + _LENGTH.size
        end = start + _LENGTH.unpack_from(data, at)[0] if start <= len(data) else len(data) + 1
        if end > len(data):
            raise RequestError(HTTPStatus.BAD_REQUEST, f"input {name} ends in the middle of a text")
        texts.append(data[start:end])
        at = end
    return texts
