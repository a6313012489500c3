"""Make a dataset's files of what its sources have.

The idx format: two zero bytes, the type (8: unsigned bytes), the number of dimensions, then each
dimension and the data in big-endian order (http://yann.lecun.com/exdb/mnist/).
"""

import gzip
import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.datasets.catalog import Recipe
from orchestrator.store.base import OnBytes, ignore_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 1 << 24  # bytes of CSV parsed at once
GZIP_BLOCK = 1 << 20  # bytes compressed at once: some ten milliseconds
GZIP_LEVEL = 6  # 9 takes fifteen times as long and saves 2 %


def gunzip(sources: Sequence[Path], folder: Path) -> None:
    """Unpack each `NAME.gz` to `NAME`."""
    for source in sources:
        with gzip.open(source) as packed, (folder / source.stem).open("wb") as file:
            shutil.copyfileobj(packed, file, BLOCK)


def mnist_csv(sources: Sequence[Path], folder: Path) -> None:
    """Make the four idx files of a training and a test CSV: a header, then label and 784 pixels a row."""
    for source, part in zip(sources, ("train", "t10k"), strict=True):
        table = read_bytes_csv(source).reshape(-1, 1 + 28 * 28)
        _write_idx(folder / f"{part}-images-idx3-ubyte", table[:, 1:].reshape(-1, 28, 28))
        _write_idx(folder / f"{part}-labels-idx1-ubyte", table[:, 0])


def digits_csv(sources: Sequence[Path], folder: Path) -> None:
    """Make digits.csv and its two idx files of scikit-learn's gzipped CSV: 64 pixels and the label a row."""
    import numpy as np

    (source,) = sources
    table = np.loadtxt(source, delimiter=",", dtype=np.uint8)
    header = ",".join([*(f"pixel_{row}_{column}" for row in range(8) for column in range(8)), "label"])
    np.savetxt(folder / "digits.csv", table, fmt="%d", delimiter=",", header=header, comments="", newline="\n")
    _write_idx(folder / "digits-images-idx3-ubyte", table[:, :64].reshape(-1, 8, 8))
    _write_idx(folder / "digits-labels-idx1-ubyte", table[:, 64])


RECIPES: dict[Recipe, Callable[[Sequence[Path], Path], None]] = {
    "gunzip": gunzip,
    "mnist-csv": mnist_csv,
    "digits-csv": digits_csv,
}


def gzip_file(source: Path, target: Path, *, on_bytes: OnBytes = ignore_bytes) -> None:
    """Compress a file so that the same bytes give the same archive: no name, no time.

    Args:
        source: The file.
        target: The archive.
        on_bytes: Told of the bytes that are compressed, as they are.
    """
    with (
        source.open("rb") as file,
        target.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=GZIP_LEVEL, mtime=0) as packed,
    ):
        while block := file.read(GZIP_BLOCK):
            packed.write(block)
            on_bytes(len(block))


def read_bytes_csv(path: Path) -> "NDArray[np.uint8]":
    """Return all numbers of a CSV with one header line, whose fields are all whole numbers from 0 to 255.

    One pass of array operations over the text: 2 s for the 110 MB of MNIST, where `numpy.loadtxt`
    takes half a minute.
    """
    import numpy as np

    parts = []
    with path.open("rb") as file:
        file.readline()
        while block := file.read(BLOCK):
            text = np.frombuffer(b"\n\n" + block + file.readline(), dtype=np.uint8)
            separator = text < ord("0")  # comma and line ends
            digit = text - np.uint8(ord("0"))
            digit[separator] = 0
            ones = np.flatnonzero(separator[1:] & ~separator[:-1])
            if not separator[-1]:
                ones = np.append(ones, len(text) - 1)
            tens = digit[ones - 1]
            hundreds = np.where(separator[ones - 1], np.uint8(0), digit[ones - 2])
            parts.append(digit[ones] + tens * np.uint8(10) + hundreds * np.uint8(100))
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint8)


def _write_idx(path: Path, array: "NDArray[np.uint8]") -> None:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())
