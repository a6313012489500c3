"""Asks the process beside the script, which has the keys to buckets.

The protocol is described where it is answered: orchestrator/runtime/files/protocol.py of mlctl.
"""

import contextlib
import errno
import json
import os
import random
import socket
import struct
import threading
import time

LENGTH = struct.Struct(">I")
PATIENCE = 120.0  # seconds that a process which does not answer is waited for: it may be starting again
FIRST_PAUSE = 0.05  # seconds between two attempts to reach it; doubled each time
LONGEST_PAUSE = 5.0  # seconds
LONGEST_ADDRESS = 100  # bytes; Linux takes 107, others 103
_ERRNO = {
    "missing": errno.ENOENT,
    "denied": errno.EACCES,
    "folder": errno.EISDIR,
    "file": errno.ENOTDIR,
    "invalid": errno.EINVAL,
    "failed": errno.EIO,
}
_here = threading.local()


class FileServiceError(IOError):
    """There is nobody to ask about files in buckets."""


def ask(do, **attributes):
    """Have something done with files in buckets, and return the answer.

    Raises:
        IOError: It did not work; `errno` says why, as for a file of this machine.
        FileServiceError: This is no job of mlctl, or what is beside its script does not answer.
    """
    path = require(_named(attributes))
    request = json.dumps(dict(attributes, do=do)).encode("utf-8")
    deadline, pause = time.time() + PATIENCE, FIRST_PAUSE
    while True:
        try:
            answer = json.loads(_exchange(path, request).decode("utf-8"))
            break
        except (EnvironmentError, EOFError) as error:  # it is restarted: the same request may be made again
            _close()
            if time.time() > deadline:
                message = "%s: nobody answers at %s (%s)" % (_named(attributes), path, error)
                raise FileServiceError(errno.ENOTCONN, message)
            time.sleep(random.uniform(pause / 2, pause))
            pause = min(2 * pause, LONGEST_PAUSE)
    if "error" in answer:
        raise IOError(_ERRNO[answer["error"]["kind"]], answer["error"]["message"])
    return answer["value"]


def require(url):
    """Return where to ask about a URL. Raises FileServiceError if this is no job of mlctl."""
    path = os.environ.get("MLCTL_SOCKET")
    if not path:
        reason = "is in a bucket, which a script can reach only in a job of mlctl (mlctl job create)"
        raise FileServiceError(errno.ENOTCONN, "%s %s" % (url, reason))
    return path


def is_shared(path):
    """Tell whether the other process sees a file of this machine under the same path."""
    folders = os.environ.get("MLCTL_SHARED", "").split(":")
    path = os.path.realpath(path)
    return any(path.startswith(os.path.realpath(one).rstrip("/") + "/") for one in folders if one)


def exchange():
    """Return the folder for files on their way, which both see."""
    return os.environ.get("MLCTL_EXCHANGE", "")


def _exchange(path, request):
    connection = _connection(path)
    connection.sendall(LENGTH.pack(len(request)) + request)
    (length,) = LENGTH.unpack(_receive(connection, LENGTH.size))
    return _receive(connection, length)


def _connection(path):
    """Return this thread's connection; a forked child needs one of its own."""
    if getattr(_here, "owner", None) == (os.getpid(), path):
        return _here.connection
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = None
    try:
        address = path
        if len(path) > LONGEST_ADDRESS:
            folder = os.open(os.path.dirname(path), os.O_RDONLY)
            address = "/proc/self/fd/%d/%s" % (folder, os.path.basename(path))
        connection.connect(address)
    except EnvironmentError:
        connection.close()
        raise
    finally:
        if folder is not None:
            os.close(folder)
    _here.connection, _here.owner = connection, (os.getpid(), path)
    return connection


def _close():
    connection = getattr(_here, "connection", None)
    _here.owner = _here.connection = None
    if connection is not None:
        with contextlib.closing(connection):
            pass


def _receive(connection, length):
    blocks = []
    while length:
        block = connection.recv(min(length, 1 << 20))
        if not block:
            raise EOFError("the connection was closed")
        blocks.append(block)
        length -= len(block)
    return b"".join(blocks)


def _named(attributes):
    return next((attributes[name] for name in ("url", "source") if name in attributes), "the file")
