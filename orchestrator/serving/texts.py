"""Arrays of text, whose elements are bytes: what JSON has for them, in either direction."""

import base64
import binascii
from typing import Any

import numpy as np

TEXT = "object"  # NumPy's name of their type
B64 = "b64"  # key of TensorFlow Serving's objects that stand for bytes


def array_of_texts(values: Any) -> Any:
    """Return nested lists of text, of bytes, or of `{"b64": ...}`, as an array whose elements are bytes.

    Raises:
        ValueError: They are ragged, or hold something else.
    """
    array = np.array(_with_bytes(values), dtype=object)
    for one in array.flat:
        if not isinstance(one, bytes):
            reason = "it is ragged" if isinstance(one, list) else f"it holds {one!r} beside text"
            raise ValueError(reason)
    return array


def texts_of(array: Any) -> list[bytes]:
    """Return the elements of an array as bytes, one after the other."""
    return [one if isinstance(one, bytes) else str(one).encode() for one in array.reshape(-1).tolist()]


def readable(array: Any, *, encode: bool = False) -> Any:
    """Return an array as JSON has it: text, and as `{"b64": ...}` what is none.

    Args:
        array: Of anything.
        encode: Whether all bytes are written so, as TensorFlow Serving does for outputs whose names end in `_bytes`.
    """
    return _readable(array.tolist(), encode) if array.dtype.kind in "OSU" else array.tolist()


def _with_bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_bytes(one) for one in value]
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and value.keys() == {B64} and isinstance(value[B64], str):
        try:
            return base64.b64decode(value[B64], validate=True)
        except binascii.Error as error:
            raise ValueError(f"a {B64} is no base64: {error}") from error
    return value


def _readable(value: Any, encode: bool) -> Any:
    if isinstance(value, list):
        return [_readable(one, encode) for one in value]
    if not isinstance(value, bytes):
        return value
    if not encode:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return {B64: base64.b64encode(value).decode()}
