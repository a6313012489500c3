"""Pictures of a dataset with what they show: MNIST's files of images and labels, or a folder for each label."""

import gzip
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from orchestrator.errors import NotFoundError
from orchestrator.services.picture import png

# Of test pictures first: those that the model was trained with say little.
IDX = ("t10k", "test", "train")
IMAGES, LABELS = "-images-idx3-ubyte", "-labels-idx1-ubyte"
HEAD = {IMAGES: struct.Struct(">4I"), LABELS: struct.Struct(">2I")}  # magic, number, then height and width
MAGIC = {IMAGES: 0x803, LABELS: 0x801}
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
SEED = 0  # the same choice at every trial


class Example(NamedTuple):
    """A picture and what it shows.

    Attributes:
        name: Of the file, or its number in it.
        data: A file of a picture.
        label: What it shows.
    """

    name: str
    data: bytes
    label: str


def examples(paths: Sequence[str], read: Callable[[str], bytes], number: int) -> Iterator[Example]:
    """Yield pictures of a dataset, evenly over it.

    Args:
        paths: Of the dataset's files.
        read: Returns what is in one.
        number: How many, at most.

    Raises:
        NotFoundError: There are neither files of MNIST's kind nor folders of pictures.
    """
    if pair := _idx(paths):
        images, labels = (_unpacked(path, read(path)) for path in pair)
        yield from _of_idx(images, labels, number)
        return
    found = [path for path in paths if path.lower().endswith(PICTURES) and "/" in path]
    tested = [path for path in found if PurePosixPath(path).parts[0] in IDX[:2]]
    chosen = tested or found
    if not chosen:
        hint = "it needs t10k-images-idx3-ubyte and its labels, or a folder of pictures for each label"
        raise NotFoundError("the dataset has no pictures with labels", hint=hint)
    for path in sorted(random.Random(SEED).sample(chosen, min(number, len(chosen)))):
        yield Example(path, read(path), PurePosixPath(path).parent.name)


def _idx(paths: Sequence[str]) -> tuple[str, str] | None:
    """Return the files of images and labels that belong together."""
    by_name = {PurePosixPath(path).name.removesuffix(".gz"): path for path in paths}
    for part in IDX:
        pair = by_name.get(part + IMAGES), by_name.get(part + LABELS)
        if pair[0] and pair[1]:
            return pair[0], pair[1]
    return None


def _unpacked(path: str, data: bytes) -> bytes:
    return gzip.decompress(data) if path.endswith(".gz") else data


def _of_idx(images: bytes, labels: bytes, number: int) -> Iterator[Example]:
    """Yield pictures of MNIST's format. http://yann.lecun.com/exdb/mnist/"""
    from PIL import Image

    try:
        magic, count, height, width = HEAD[IMAGES].unpack_from(images)
        label_magic, labelled = HEAD[LABELS].unpack_from(labels)
    except struct.error as error:
        raise NotFoundError("the dataset's files of images and labels are too short") from error
    whole = len(images) >= HEAD[IMAGES].size + count * height * width and len(labels) >= HEAD[LABELS].size + labelled
    if (magic, label_magic) != (MAGIC[IMAGES], MAGIC[LABELS]) or count != labelled or not whole:
        raise NotFoundError("the dataset's files of images and labels do not belong together, or are damaged")
    for index in sorted(random.Random(SEED).sample(range(count), min(number, count))):
        start = HEAD[IMAGES].size + index * height * width
        picture = Image.frombytes("L", (width, height), images[start : start + height * width])
        yield Example(f"{index}.png", png(picture), str(labels[HEAD[LABELS].size + index]))
