"""How large a picture is, told by its first bytes: a small file may be a picture that no memory holds."""

import struct

MOST = 89478485  # pixels; as in Pillow, which only warns from there on
HEAD = 1 << 18  # bytes in which the size is looked for: a JPEG may begin with a preview and its colours
_PNG = b"\x89PNG\r\n\x1a\n"
_SIZES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # segments of a JPEG that tell its size
_BARE = set(range(0xD0, 0xDA)) | {0x01}  # segments without a length


def check(data):
    """Raise ValueError if a file is a picture with more pixels than are taken; any other file is let through."""
    size = _size(data)
    if size and size[0] * size[1] > MOST:
        raise ValueError("the picture has %d x %d pixels; %d in all are taken" % (size[0], size[1], MOST))


def _size(data):
    """Return width and height; None if they are not told, or the format is another one."""
    try:
        if data[:8] == _PNG:
            return struct.unpack(">II", data[16:24])
        if data[:4] == b"GIF8":
            return struct.unpack("<HH", data[6:10])
        if data[:2] == b"BM":
            width, height = struct.unpack("<ii", data[18:26])
            return abs(width), abs(height)
        if data[:2] == b"\xff\xd8":
            return _size_of_jpeg(data)
    except (struct.error, IndexError):
        pass  # it is cut off
    return None


def _size_of_jpeg(data):
    at = 2
    while True:
        if bytearray(data[at : at + 1])[0] != 0xFF:
            return None
        kind = bytearray(data[at + 1 : at + 2])[0]
        if kind == 0xFF:  # filling
            at += 1
        elif kind in _SIZES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        else:
            at += 2 if kind in _BARE else 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
