"""Pictures as a model wants them."""

import io
import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from orchestrator.errors import UsageError
from orchestrator.models.inputs import Picture, field_of, picture_of
from orchestrator.services.picture import Preparation, prepared


def file_of(kind="PNG", mode="RGB", size=(4, 2), colour="red", **options):
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, kind, **options)
    return file.getvalue()


def made(data, **shape):
    return Image.open(io.BytesIO(prepared(data, "a file", Picture(), Preparation(**shape)).data))


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


def sent(data, taken, **shape):
    """Return mode, size and first pixel of the picture that a model gets, and what was done to it."""
    made = prepared(data, "a file", taken, Preparation(**shape))
    picture = Image.open(io.BytesIO(made.data))
    return (picture.mode, picture.size, picture.getpixel((0, 0))), made.done


def test_a_small_photo_is_turned_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn = Image.new("L", (28, 28), 255)
    drawn.paste(0, (0, 0, 28, 14))  # its upper half is black
    file = io.BytesIO()
    drawn.save(file, "JPEG", exif=exif)
    made = prepared(file.getvalue(), "a file", Picture(size=(28, 28)))
    picture = Image.open(io.BytesIO(made.data))
    assert made.done == "upright"
    assert (picture.getpixel((2, 14)) > 128, picture.getpixel((25, 14)) < 128) == (True, True)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_of_16_bits_the_upper_8_count(kind):
    picture = Image.new("I;16", (4, 2), 0x4000)
    file = io.BytesIO()
    picture.save(file, kind)
    told = "8 bits instead of 16, 2 x 1 pixels instead of 4 x 2"
    assert sent(file.getvalue(), Picture(gray=True, size=(2, 1), background="black")) == (("L", (2, 1), 0x40), told)


def test_of_an_animation_the_first_frame_counts():
    first, *others = (Image.new("L", (4, 2), shade) for shade in (10, 100, 200))
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others)
    told = "its first frame, in shades of gray, 2 x 1 pixels instead of 4 x 2"
    assert sent(file.getvalue(), Picture(gray=True, size=(2, 1))) == (("L", (2, 1), 10), told)


DIGIT = Picture(gray=True, size=(4, 2), background="black")


def test_a_picture_becomes_what_the_model_takes_and_that_is_told():
    told = "in shades of gray, 4 x 2 pixels instead of 8 x 4, white for black"
    assert sent(file_of(size=(8, 4), colour="white"), DIGIT) == (("L", (4, 2), 0), told)
    assert sent(file_of("JPEG", "L", colour=0), DIGIT, resize=(3, 3)) == (
        ("L", (3, 3), 0),
        "3 x 3 pixels instead of 4 x 2",
    )
    assert sent(file_of(mode="L", colour=0), DIGIT, invert=True)[0] == ("L", (4, 2), 255)


def test_what_is_transparent_is_on_white():
    drawn = Image.new("RGBA", (28, 28), (0, 0, 0, 0))
    drawn.paste((0, 0, 0, 255), (12, 4, 16, 24))  # black strokes
    file = io.BytesIO()
    drawn.save(file, "PNG")
    told = "on white, in shades of gray, white for black"
    assert sent(file.getvalue(), Picture(gray=True, background="black")) == (("L", (28, 28), 0), told)
    assert sent(file.getvalue(), Picture(size=(28, 28))) == (("RGB", (28, 28), (255, 255, 255)), "on white")
    opaque = file_of(mode="RGBA", colour="red")
    assert prepared(opaque, "a file", Picture(size=(4, 2))).data == opaque


@pytest.mark.parametrize(
    ("data", "taken"),
    [
        (file_of("BMP", "L", colour=3), DIGIT),
        (file_of("JPEG", size=(9, 9)), Picture()),
        (b"words", Picture()),
        (file_of(colour="white"), Picture(background="white", size=(4, 2))),
    ],
)
def test_what_fits_is_sent_as_it_is(data, taken):
    made = prepared(data, "a file", taken)
    assert (made.data, made.done) == (data, "")


def test_the_background_is_what_most_of_the_edge_is():
    picture = Image.new("L", (28, 28), 255)
    picture.paste(0, (4, 0, 20, 28))  # a stroke from edge to edge
    file = io.BytesIO()
    picture.save(file, "PNG")
    assert sent(file.getvalue(), Picture(background="black"))[1] == "white for black"
    assert sent(file.getvalue(), Picture(background="white"))[1] == ""


def taking(picture):
    fields = {"note": {"type": "string"}, "photo": {"type": "file", "picture": picture}}
    return {"apis": [{"request": {"data": {"type": "object", "properties": fields}}}]}


def test_config_json_says_what_a_model_takes():
    config = taking({"gray": True, "size": [4, 2], "background": "black"})
    assert (field_of(config), picture_of(config)) == ("photo", DIGIT)
    assert picture_of(taking({})) == Picture()


@pytest.mark.parametrize("config", [{}, {"apis": 3}, {"apis": [3, {"request": []}, {"request": {"data": "x"}}]}])
def test_a_config_json_that_does_not_say_is_none(config):
    assert (field_of(config), picture_of(config)) == ("images", Picture())


@pytest.mark.parametrize(
    "picture", [{"grey": True}, {"size": [28]}, {"size": [0, 28]}, {"background": "green"}, "gray", None]
)
def test_what_cannot_be_understood_is_named(picture):
    with pytest.raises(UsageError, match=r'config\.json: "picture" cannot be understood') as caught:
        picture_of(taking(picture))
    assert "--as-is" in caught.value.hint


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
        (file_of()[:20], "a file is a damaged picture"),
        (file_of("PPM").replace(b"255", b"2x5"), "a file is a damaged picture"),
        (file_of("BMP")[:30], "a file is a damaged picture"),
        (bomb(), "a file (has 60000 x 60000 pixels|is a damaged picture: .* exceeds limit)"),
    ],
)
def test_what_is_no_picture_is_refused(data, message):
    with pytest.raises(UsageError, match=message):
        prepared(data, "a file", Picture(), Preparation(gray=True))


@given(st.sampled_from(["PNG", "GIF", "BMP", "TIFF", "PPM", "WEBP", "JPEG", "TGA", "ICO"]), st.data())
def test_whatever_is_damaged_is_read_or_refused(kind, data):
    content = bytearray(file_of(kind, size=(16, 16)))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    with suppress(UsageError):
        prepared(bytes(content), "a file", DIGIT)
