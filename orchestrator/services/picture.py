"""Pictures as a model wants them: read in any format that Pillow knows, sent as PNG."""

import io
import warnings
from typing import TYPE_CHECKING

import msgspec

from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

PIXELS = 100_000_000  # of a picture at most: a small file may hold an enormous one


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


def as_png(data: bytes, name: str, shape: Preparation) -> bytes:
    """Return a picture as PNG.

    Args:
        data: The file.
        name: Of it, for messages.
        shape: What is done to it.

    Raises:
        UsageError: It is no picture, or has more than 100 million pixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower than the error's
            picture: Image.Image = Image.open(io.BytesIO(data))
        if picture.width * picture.height > PIXELS:
            raise UsageError(f"{name} has {picture.width} x {picture.height} pixels", hint="100 million at most")
        picture = ImageOps.exif_transpose(picture)  # as people see it
        if shape.gray:
            picture = picture.convert("L")
        elif picture.mode not in ("L", "RGB"):
            picture = picture.convert("RGB")
        if shape.resize:
            picture = picture.resize(shape.resize, Image.Resampling.LANCZOS)
        if shape.invert:
            picture = ImageOps.invert(picture)
        return png(picture)
    except UnidentifiedImageError as error:
        raise UsageError(f"{name} is no picture that can be read", hint="send it as it is: without options") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UsageError(f"{name} is a damaged picture: {error}") from error


def png(picture: "Image.Image") -> bytes:
    """Return a picture of Pillow's as a file."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
