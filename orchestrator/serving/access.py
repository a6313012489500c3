"""The access log: a line of JSON for each request, whatever it came by."""

import contextlib
import os
import sys
import time

import msgspec

REQUEST_ID = "X-Request-Id"


def new_request_id() -> str:
    """Return an identity for a request that came without."""
    return os.urandom(16).hex()


def log_access(identity: str, method: str, path: str, status: int | str, begun: float, model: str) -> None:
    """Write the line of a request.

    Args:
        identity: Of the request.
        method: Of HTTP, or `gRPC`.
        path: What was asked.
        status: What came of it.
        begun: When, by `time.perf_counter`.
        model: The version that was asked, if one was.
    """
    entry = {
        "time": time.time(),
        "id": identity,
        "method": method,
        "path": path,
        "status": status,
        "seconds": round(time.perf_counter() - begun, 6),
        "model": model,
    }
    with contextlib.suppress(OSError):  # a full disk does not stop a service
        os.write(sys.stderr.fileno(), msgspec.json.encode(entry) + b"\n")
