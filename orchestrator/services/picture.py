"""Pictures as a model wants them: read in any format that Pillow knows, sent as PNG where something is done to them."""

import io
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from orchestrator.errors import UsageError
from orchestrator.models.inputs import Picture

if TYPE_CHECKING:
    from PIL import Image

PIXELS = 100_000_000  # of a picture at most: a small file may hold an enormous one
MIDDLE = 128  # shade from which on a background is white
DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes of more than 8 bits, of which 16 count
BYTES = 257  # of a value of 16 bits, what is 1 of 8
ORIENTATION, UPRIGHT = 0x0112, 1  # of EXIF
# What Pillow's readers raise at damaged files, besides its own.
DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, EOFError),
    *(ArithmeticError, RuntimeError, struct.error, zlib.error),
)


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


class Step(NamedTuple):
    """Something that was done to a picture.

    Attributes:
        what: What it is now.
        instead: What it was, where that is told.
    """

    what: str
    instead: str = ""


class Prepared(msgspec.Struct, frozen=True):
    """A picture to be sent.

    Attributes:
        data: The file: PNG, or as it was if nothing is done to it.
        steps: What was done.
    """

    data: bytes
    steps: tuple[Step, ...] = ()

    @property
    def done(self) -> str:
        """What was done, in words; empty if nothing was."""
        return ", ".join(step.what + f" instead of {step.instead}" * bool(step.instead) for step in self.steps)


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what can be read is, and our own limit is lower than the error's
            return _made(_opened(data, name), taken, asked) or Prepared(data)
    except UnidentifiedImageError as error:
        raise UsageError(f"{name} is no picture that can be read", hint="send it as it is: --as-is") from error
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise UsageError(f"{name} is a damaged picture: {error}") from error


def png(picture: "Image.Image") -> bytes:
    """Return a picture of Pillow's as a file."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _made(picture: "Image.Image", taken: Picture, asked: Preparation) -> Prepared | None:
    """Return a picture as it is to be sent; None if that is as it is."""
    first = [Step("its first frame")] if getattr(picture, "is_animated", False) else []
    picture, steps = _as_seen(picture)
    todo = Preparation(
        gray=asked.gray or (taken.gray and picture.mode != "L"),
        resize=asked.resize or (taken.size if taken.size != picture.size else None),
        invert=asked.invert or (taken.background is not None and taken.background != _background(picture)),
    )
    if todo == AS_IT_IS and not steps:
        return None
    return Prepared(_changed(picture, todo), (*first, *steps, *_steps(picture, todo)))


def _opened(data: bytes, name: str) -> "Image.Image":
    from PIL import Image

    picture: Image.Image = Image.open(io.BytesIO(data))
    if picture.width * picture.height > PIXELS:
        raise UsageError(f"{name} has {picture.width} x {picture.height} pixels", hint="100 million at most")
    return picture


def _as_seen(picture: "Image.Image") -> tuple["Image.Image", list[Step]]:
    """Return a picture as people see it: upright, in 8 bits, and where it is transparent on white; itself if it is."""
    from PIL import Image, ImageOps

    steps = []
    if picture.getexif().get(ORIENTATION, UPRIGHT) != UPRIGHT:
        picture = ImageOps.exif_transpose(picture)
        steps.append(Step("upright"))
    if picture.mode in DEEP:  # to convert them cuts all above 255 off
        picture = picture.convert("I").point(lambda value: value * (1 / BYTES) + 0.5).convert("L")
        steps.append(Step("8 bits", "16"))
    if "A" in picture.getbands() or "transparency" in picture.info:
        visible = picture.convert("RGBA")
        if visible.getchannel("A").getextrema() != (255, 255):
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), visible).convert("RGB")
            steps.append(Step("on white"))
    return picture, steps


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


def _steps(picture: "Image.Image", todo: Preparation) -> list[Step]:
    steps = [Step("in shades of gray")] if todo.gray else []
    if todo.resize:
        now, before = (f"{width} x {height}" for width, height in (todo.resize, picture.size))
        steps.append(Step(f"{now} pixels", before))
    return [*steps, Step("white for black")] if todo.invert else steps
