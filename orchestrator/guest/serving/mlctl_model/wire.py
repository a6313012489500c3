"""How front and model talk: frames over a Unix socket, each a JSON document and the bytes that it refers to.

A frame is two lengths (big-endian, of 4 and 8 bytes), that of the document and that of all bytes, then both. In the
document `{"$bytes": [start, length]}` stands for bytes, `{"$array": [start, length, dtype, shape]}` for an array of
numbers, and `{"$texts": [[[start, length], ...], shape]}` for one of bytes, which is how text is sent; other keys that
begin with `$` have one more.
"""

import json
import os
import socket
import struct

HEAD = struct.Struct(">IQ")
MOST = 1 << 32  # bytes of a frame


class ClosedError(Exception):
    """The other side has gone."""


def listen(path, mode, backlog):
    """Return a Unix socket that listens at a path, in the place of one that was left there."""
    if os.path.exists(path):
        os.remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, mode)
    listener.listen(backlog)
    return listener


def send(connection, document):
    """Send a document, which may hold bytes and NumPy arrays."""
    blobs = []
    text = json_of(_put(document, blobs, [0]))
    connection.sendall(b"".join([HEAD.pack(len(text), sum(len(blob) for blob in blobs)), text] + blobs))


def json_of(document):
    """Return a document as JSON; numbers that JSON does not have are null."""
    try:
        text = json.dumps(document, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(document))
    return text.encode("utf-8")


def receive(stream):
    """Return the next document of a connection's file; bytes are memoryviews, arrays are NumPy's.

    Raises:
        ClosedError: There is none any more.
    """
    length, size = HEAD.unpack(_read(stream, HEAD.size))
    if length > MOST or size > MOST:
        raise ClosedError("a frame of %d bytes" % (length + size))
    text = _read(stream, length)
    return _take(json.loads(bytes(text).decode("utf-8")), _read(stream, size))


def _read(stream, length):
    data = bytearray(length)
    view = memoryview(data)
    done = 0
    while done < length:
        count = stream.readinto(view[done:])
        if not count:
            raise ClosedError("the connection was closed")
        done += count
    return view


def _put(value, blobs, at):
    if isinstance(value, dict):
        return {"$" + key if key.startswith("$") else key: _put(one, blobs, at) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_put(one, blobs, at) for one in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": _blob(bytes(value), blobs, at)}
    if hasattr(value, "dtype") and value.dtype.kind in "OSU":
        texts = (one if isinstance(one, bytes) else str(one).encode("utf-8") for one in value.ravel().tolist())
        return {"$texts": [[_blob(one, blobs, at) for one in texts], list(value.shape)]}
    if hasattr(value, "dtype") and hasattr(value, "tobytes"):
        return {"$array": _blob(value.tobytes(), blobs, at) + [value.dtype.str, list(value.shape)]}
    return value


def _finite(value):
    """Return a document without the numbers that JSON does not have: they are null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and value - value != 0 else value


def _blob(data, blobs, at):
    start = at[0]
    blobs.append(data)
    at[0] += len(data)
    return [start, len(data)]


def _take(value, data):
    if isinstance(value, list):
        return [_take(one, data) for one in value]
    if not isinstance(value, dict):
        return value
    if "$bytes" in value:
        start, length = value["$bytes"]
        return data[start : start + length]
    if "$array" in value:
        import numpy as np

        start, length, kind, shape = value["$array"]
        return np.frombuffer(data[start : start + length], dtype=kind).reshape(shape)
    if "$texts" in value:
        import numpy as np

        places, shape = value["$texts"]
        texts = np.empty(len(places), dtype=object)
        texts[:] = [bytes(data[start : start + length]) for start, length in places]
        return texts.reshape(shape)
    return {key[1:] if key.startswith("$") else key: _take(one, data) for key, one in value.items()}
