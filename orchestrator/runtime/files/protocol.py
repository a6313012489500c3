"""What a guest asks of the process beside its script, and what it is told: this file is the protocol.

Over a Unix stream socket, at the path in MLCTL_SOCKET, goes one frame for each request and one for its answer, in turn:
four bytes with the length of the rest, the most significant first, then a JSON object in UTF-8.

- A request has `do`, the name of one of the classes below, and its attributes.
- An answer has either `value`, or `error` with `kind` (see `Kind`) and `message`.

The bytes of files do not travel here. Both sides see the folders in MLCTL_SHARED (with `:` between them), in which
requests name files by absolute paths; MLCTL_EXCHANGE is one of them, for files on their way to or from elsewhere.
Every request may be repeated, when the connection was lost before the answer.
"""

import os
import struct
from pathlib import Path
from socket import socket
from typing import Any, Literal, TypeAlias

import msgspec

LENGTH = struct.Struct(">I")
LONGEST = 1 << 30  # bytes of a frame; a listing of a million files has a tenth of that
THREADS = 16  # files that a copy moves at once, if the request does not say; the most is four times that

# What went wrong: nothing is there, access is refused, a folder stands where a file is meant or the other way round,
# the request makes no sense, or the store or the disk failed.
Kind: TypeAlias = Literal["missing", "denied", "folder", "file", "invalid", "failed"]


class Request(msgspec.Struct, tag_field="do", forbid_unknown_fields=True, kw_only=True):
    """Something that is asked. A `url` begins with s3:// or obs://; a `path` is absolute and in a shared folder."""


class Look(Request, tag="look"):
    """What is at a URL: `{"kind": "file", "size": bytes, "modified": seconds}`, or `{"kind": "folder"}`, or null."""

    url: str


class List(Request, tag="list"):
    """What is in a folder, below it if `recursive`: a list of `[relative path, size, modified]`; folders have size -1.

    Error: missing, file.
    """

    url: str
    recursive: bool = False


class Bring(Request, tag="bring"):
    """Write a file of a bucket to `path`, whose folder exists. Error: missing, folder."""

    url: str
    path: str


class Send(Request, tag="send"):
    """Write the file at `path` to a bucket. Error: missing."""

    path: str
    url: str


class Copy(Request, tag="copy"):
    """Copy a file from URL to URL. Error: missing, folder."""

    source: str
    target: str


class BringTree(Request, tag="bring-tree"):
    """Write what is below a URL to the folder `path`, which is made; other files in it stay.

    With `files` only those, by their relative paths. The answer: `{"files": number, "bytes": number}`.
    Error: missing, file.
    """

    url: str
    path: str
    files: list[str] | None = None
    threads: int = THREADS


class SendTree(Request, tag="send-tree"):
    """Write what is in the folder `path` below a URL; as `bring-tree`."""

    path: str
    url: str
    files: list[str] | None = None
    threads: int = THREADS


class CopyTree(Request, tag="copy-tree"):
    """Copy what is below one URL to below another; as `bring-tree`."""

    source: str
    target: str
    files: list[str] | None = None
    threads: int = THREADS


class Remove(Request, tag="remove"):
    """Delete a file, or with `recursive` what is below a folder, too. Error: missing; folder, if not `recursive`."""

    url: str
    recursive: bool = False


class Make(Request, tag="make"):
    """Have a folder: a bucket has none, so it is remembered while the job runs. Error: file."""

    url: str


Asked: TypeAlias = Look | List | Bring | Send | Copy | BringTree | SendTree | CopyTree | Remove | Make


def receive(connection: socket) -> bytes | None:
    """Return the next frame; None if the other side has closed.

    Raises:
        OSError: The connection broke.
    """
    head = _read(connection, LENGTH.size)
    if head is None:
        return None
    (length,) = LENGTH.unpack(head)
    if length > LONGEST:
        raise OSError(f"a frame of {length} bytes")
    return _read(connection, length)


def send(connection: socket, message: Any) -> None:
    """Send a message as a frame. Raises OSError."""
    data = msgspec.json.encode(message)
    connection.sendall(LENGTH.pack(len(data)) + data)


def address_of(path: Path) -> tuple[str, int | None]:
    """Return an address of a socket that is short enough, and a descriptor to be closed after its use.

    An address has at most about a hundred bytes; a longer path is reached through the descriptor of its folder.
    """
    if len(os.fsencode(path)) <= 100:
        return str(path), None
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    return f"/proc/self/fd/{folder}/{path.name}", folder


def _read(connection: socket, length: int) -> bytes | None:
    data = bytearray()
    while len(data) < length:
        block = connection.recv(min(length - len(data), 1 << 20))
        if not block:
            return None
        data += block
    return bytes(data)
