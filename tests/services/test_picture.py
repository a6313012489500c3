"""Pictures as a model wants them."""

import io
import struct
import zlib

import pytest
from PIL import Image

from orchestrator.errors import UsageError
from orchestrator.services.picture import Preparation, as_png


def file_of(kind="PNG", mode="RGB", size=(4, 2), colour="red", **options):
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, kind, **options)
    return file.getvalue()


def made(data, **shape):
    return Image.open(io.BytesIO(as_png(data, "a file", Preparation(**shape))))


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("GIF", "P"), ("BMP", "L"), ("WEBP", "RGBA"), ("TIFF", "CMYK")]
)
def test_any_format_becomes_png(kind, mode):
    picture = made(file_of(kind, mode, colour=None if mode != "RGB" else "red"), resize=(28, 28))
    assert (picture.format, picture.size, picture.mode in ("L", "RGB")) == ("PNG", (28, 28), True)
    assert made(file_of(kind, mode, colour=None), gray=True).mode == "L"


def test_white_becomes_black():
    assert made(file_of(mode="L", colour=255), invert=True).getpixel((0, 0)) == 0
    assert made(file_of(mode="RGBA", colour="white"), invert=True).getpixel((0, 0)) == (0, 0, 0)


def test_a_photo_is_sent_as_people_see_it():
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    assert made(file_of("JPEG", exif=exif), gray=True).size == (2, 4)


def bomb():
    """Return a small file of an enormous picture."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))  # noqa: E731
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a file is no picture"),
        (b"words", "a file is no picture"),
        (file_of()[:50], "a file is a damaged picture"),
        (bomb(), "a file (has 60000 x 60000 pixels|is a damaged picture: .* exceeds limit)"),
    ],
)
def test_what_is_no_picture_is_refused(data, message):
    with pytest.raises(UsageError, match=message):
        as_png(data, "a file", Preparation(gray=True))
