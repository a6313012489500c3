"""How the front talks to a model's process; the format stands in guest/serving/mlctl_model/wire.py."""

import struct
from typing import Any

import msgspec
import numpy as np

HEAD = struct.Struct(">IQ")  # lengths of the document and of all bytes that it refers to


def frame(document: dict[str, Any]) -> bytes:
    """Return the bytes of a document, which may hold bytes and arrays."""
    blobs: list[bytes] = []
    text = msgspec.json.encode(_put(document, blobs, [0]))
    return b"".join((HEAD.pack(len(text), sum(map(len, blobs))), text, *blobs))


def parse(data: bytearray, start: int) -> tuple[dict[str, Any], int] | None:
    """Return the document of the frame that begins there, and where it ends; None if not all of it is there.

    Raises:
        msgspec.DecodeError: It is none.
    """
    text = start + HEAD.size
    if len(data) < text:
        return None
    length, size = HEAD.unpack_from(data, start)
    blobs = text + length
    end = blobs + size
    if len(data) < end:
        return None
    taken: dict[str, Any] = _take(msgspec.json.decode(data[text:blobs]), bytes(data[blobs:end]))
    return taken, end


def _put(value: Any, blobs: list[bytes], at: list[int]) -> Any:
    if isinstance(value, dict):
        return {"$" + key if key.startswith("$") else key: _put(one, blobs, at) for key, one in value.items()}
    if isinstance(value, list):
        return [_put(one, blobs, at) for one in value]
    if isinstance(value, bytes):
        return {"$bytes": _blob(value, blobs, at)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "OSU":
        texts = (one if isinstance(one, bytes) else str(one).encode() for one in value.flat)
        return {"$texts": [[_blob(one, blobs, at) for one in texts], list(value.shape)]}
    if isinstance(value, np.ndarray):
        return {"$array": [*_blob(value.tobytes(), blobs, at), value.dtype.str, list(value.shape)]}
    return value


def _blob(data: bytes, blobs: list[bytes], at: list[int]) -> list[int]:
    start = at[0]
    blobs.append(data)
    at[0] += len(data)
    return [start, len(data)]


def _take(value: Any, data: bytes) -> Any:
    if isinstance(value, list):
        return [_take(one, data) for one in value] if any(isinstance(one, dict | list) for one in value) else value
    if not isinstance(value, dict):
        return value
    if "$bytes" in value:
        start, length = value["$bytes"]
        return data[start : start + length]
    if "$array" in value:
        start, length, kind, shape = value["$array"]
        return np.frombuffer(data[start : start + length], dtype=kind).reshape(shape)
    if "$texts" in value:
        places, shape = value["$texts"]
        texts = np.empty(len(places), dtype=object)
        texts[:] = [data[start : start + length] for start, length in places]
        return texts.reshape(shape)
    return {key[1:] if key.startswith("$") else key: _take(one, data) for key, one in value.items()}
