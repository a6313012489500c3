"""Event files, written without TensorFlow: protocol buffers of scalars in records."""

import struct

from orchestrator.runtime.events.records import masked_crc

WALL_TIME = 1_700_000_000.0  # long ago: of that TensorBoard must not take notice


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


def header() -> bytes:
    """Return the first record of every file: its version."""
    return record(_double(1, WALL_TIME) + _bytes(3, b"brain.Event:2"))


def scalar(tag: str, step: int, value: float) -> bytes:
    summary = _bytes(1, _bytes(1, tag.encode()) + b"\x15" + struct.pack("<f", value))
    return record(_double(1, WALL_TIME + step) + b"\x10" + _varint(step) + _bytes(5, summary))


def losses(first: int, behind: int) -> bytes:
    return b"".join(scalar("loss", step, 1 / (step + 1)) for step in range(first, behind))


def _double(field: int, value: float) -> bytes:
    return bytes([field << 3 | 1]) + struct.pack("<d", value)


def _bytes(field: int, data: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
