"""Write tar headers fast: a pack is a plain POSIX archive that any `tar` opens.

The format is ustar, with a pax header in front where a name does not fit: `pax` in IEEE Std 1003.1
(https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html). Python's own tarfile takes five times as
long, and nothing here needs to be read back: a manifest says where each file's bytes are.
"""

BLOCK = 512  # bytes; headers and contents start at multiples of it
END = bytes(2 * BLOCK)  # of an archive
PADDING = bytes(BLOCK)

_NAME = 100  # bytes
_PREFIX = 155  # bytes
_LATEST = 8**11 - 1  # seconds since the epoch that a header can tell; in the year 2242
_OWNER = b"0000000\0" * 2  # nobody in particular
_TAIL = b"ustar\x0000" + bytes(64) + _OWNER  # no names of user and group, no device
_FIXED = sum(_OWNER) + sum(_TAIL) + 8 * ord(" ")  # of the check sum, which counts itself as spaces
_FILE = b"0"
_EXTENDED = b"x"


def file_header(path: str, size: int, mtime_ns: int, *, executable: bool) -> bytes:
    """Return what stands before a file's bytes; `padding` must follow them.

    Args:
        path: Relative, with `/`.
        size: Bytes, less than 8 GiB.
        mtime_ns: Modification time, nanoseconds since the epoch; kept in seconds.
        executable: Whether it may be executed.
    """
    mode = b"0000755\0" if executable else b"0000644\0"
    mtime = min(max(mtime_ns // 1_000_000_000, 0), _LATEST)
    name = path.encode()
    if len(name) <= _NAME and path.isascii():
        return _header(name, b"", mode, size, mtime, _FILE)
    cut = name.rfind(b"/", 0, _PREFIX + 1)
    if path.isascii() and cut > 0 and len(name) - cut - 1 <= _NAME:
        return _header(name[cut + 1 :], name[:cut], mode, size, mtime, _FILE)
    record = _record(b" path=" + name + b"\n")
    extended = _header(b"PaxHeaders/" + name[: _NAME - 11], b"", mode, len(record), mtime, _EXTENDED)
    return extended + record + padding(len(record)) + _header(name[:_NAME], b"", mode, size, mtime, _FILE)


def padding(size: int) -> bytes:
    """Return what fills up the last block of `size` bytes."""
    return PADDING[: -size % BLOCK]


def _header(name: bytes, prefix: bytes, mode: bytes, size: int, mtime: int, kind: bytes) -> bytes:
    numbers = b"%011o\0%011o\0" % (size, mtime)
    check = _FIXED + sum(b"%b%b%b%b%b" % (name, prefix, mode, numbers, kind))
    head = b"%b%b%b%b%06o\0 %b" % (name.ljust(_NAME, b"\0"), mode, _OWNER, numbers, check, kind)
    return b"%b%b%b%b" % (head, bytes(_NAME), _TAIL, prefix.ljust(_PREFIX + 12, b"\0"))


def _record(rest: bytes) -> bytes:
    """Return a pax record, which begins with its own length in decimal digits."""
    length = len(rest) + len(str(len(rest)))
    while len(str(length)) + len(rest) != length:
        length += 1
    return str(length).encode() + rest
