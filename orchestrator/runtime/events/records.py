"""Records of an event file: a running script, or a network, may have brought half of one.

A file is a sequence of records: length (8 bytes, little endian), its masked CRC-32C (4 bytes), the data and
their masked CRC-32C. https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

import struct

_HEADER = struct.Struct("<QI")
_FOOTER = 4  # bytes
_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reversed
_MASK = 0xA282EAD8


def _table_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_table_entry, range(256)))


class DamagedError(ValueError):
    """There is no record where one must begin."""


def masked_crc(data: bytes) -> int:
    """Return the checksum that stands behind data."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def whole_records(data: bytes) -> tuple[int, int]:
    """Return how many bytes at the start of `data`, where a record begins, are whole records.

    Returns:
        That number, and how many bytes the record behind them has; 0 where not even that can be told yet.

    Raises:
        DamagedError: Not even the first record is one.
    """
    end = 0
    while len(data) - end >= _HEADER.size:
        length, checksum = _HEADER.unpack_from(data, end)
        if masked_crc(data[end : end + 8]) != checksum:
            if end == 0:
                raise DamagedError("no record begins here")
            return end, 0
        record = _HEADER.size + length + _FOOTER
        if len(data) - end < record:
            return end, record
        end += record
    return end, 0
