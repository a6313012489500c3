"""Pictures as a model wants them: read in any format that Pillow knows, sent as PNG where something is done to them."""

import io
import warnings
from typing import TYPE_CHECKING

import msgspec

from orchestrator.errors import UsageError
from orchestrator.models.inputs import Picture

if TYPE_CHECKING:
    from PIL import Image

PIXELS = 100_000_000  # of a picture at most: a small file may hold an enormous one
MIDDLE = 128  # shade from which on a background is white


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to a picture, in this order.

    Attributes:
        gray: Shades of gray instead of colours.
        resize: Width and height in pixels; None leaves them.
        invert: White becomes black.
    """

    gray: bool = False
    resize: tuple[int, int] | None = None
    invert: bool = False


AS_IT_IS = Preparation()


class Prepared(msgspec.Struct, frozen=True):
    """A picture to be sent.

    Attributes:
        data: The file: PNG, or as it was if nothing is done to it.
        done: What was done, in words; empty if nothing was.
    """

    data: bytes
    done: str = ""


def prepared(data: bytes, name: str, taken: Picture, asked: Preparation = AS_IT_IS) -> Prepared:
    """Return a picture as a model takes it.

    Args:
        data: The file.
        name: Of it, for messages.
        taken: What the model takes. Nothing is done to a picture that is like that.
        asked: What is done in any case.

    Raises:
        UsageError: It is no picture, or has more than 100 million pixels; and something is to be done to it.
    """
    if (taken, asked) == (Picture(), AS_IT_IS):
        return Prepared(data)
    from PIL import Image, UnidentifiedImageError

    try:
        original = _opened(data, name)
        picture = _on_white(original)
        todo = Preparation(
            gray=asked.gray or (taken.gray and picture.mode != "L"),
            resize=asked.resize or (taken.size if taken.size != picture.size else None),
            invert=asked.invert or (taken.background is not None and taken.background != _background(picture)),
        )
        if todo == AS_IT_IS and picture is original:
            return Prepared(data)
        done = [*(["on white"] if picture is not original else []), *_told(picture, todo)]
        return Prepared(_changed(picture, todo), ", ".join(done))
    except UnidentifiedImageError as error:
        raise UsageError(f"{name} is no picture that can be read", hint="send it as it is: --as-is") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UsageError(f"{name} is a damaged picture: {error}") from error


def png(picture: "Image.Image") -> bytes:
    """Return a picture of Pillow's as a file."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _opened(data: bytes, name: str) -> "Image.Image":
    """Return a picture as people see it."""
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower than the error's
        picture: Image.Image = Image.open(io.BytesIO(data))
    if picture.width * picture.height > PIXELS:
        raise UsageError(f"{name} has {picture.width} x {picture.height} pixels", hint="100 million at most")
    return ImageOps.exif_transpose(picture)


def _on_white(picture: "Image.Image") -> "Image.Image":
    """Return a picture as people see it where it is transparent: on white; itself if it is not."""
    from PIL import Image

    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture
    visible = picture.convert("RGBA")
    if visible.getchannel("A").getextrema() == (255, 255):
        return picture
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), visible).convert("RGB")


def _changed(picture: "Image.Image", todo: Preparation) -> bytes:
    from PIL import Image, ImageOps

    if todo.gray:
        picture = picture.convert("L")
    elif picture.mode not in ("L", "RGB"):
        picture = picture.convert("RGB")
    if todo.resize:
        picture = picture.resize(todo.resize, Image.Resampling.LANCZOS)
    if todo.invert:
        picture = ImageOps.invert(picture)
    return png(picture)


def _background(picture: "Image.Image") -> str:
    """Return whether most of a picture's edge is black or white."""
    shades, (width, height) = picture.convert("L"), picture.size
    edges = [(0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height)]
    values = sorted(b"".join(shades.crop(edge).tobytes() for edge in edges))
    return "white" if values[len(values) // 2] >= MIDDLE else "black"


def _told(picture: "Image.Image", todo: Preparation) -> list[str]:
    width, height = todo.resize or picture.size
    done = [
        "in shades of gray" if todo.gray else "",
        f"{width} x {height} pixels instead of {picture.width} x {picture.height}" if todo.resize else "",
        "white for black" if todo.invert else "",
    ]
    return [*filter(None, done)]
