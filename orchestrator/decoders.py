"""JSON to structs, from any thread."""

import threading
from typing import Any, TypeVar

import msgspec

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

_known: dict[type, Any] = {}
_lock = threading.Lock()


def decoder(kind: type[_Struct]) -> msgspec.json.Decoder[_Struct]:
    """Return what decodes JSON to a struct.

    msgspec 0.22 crashes the process if two threads decode to one type for the first time at once: each takes what the
    other has learned of it so far for all. So a type is learned by one thread at a time, and a decoder serves all.
    """
    found = _known.get(kind)
    if found is None:
        with _lock:
            found = _known[kind] = msgspec.json.Decoder(kind)
    return found
