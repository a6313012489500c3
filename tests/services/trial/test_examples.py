"""Pictures with labels are found in datasets."""

import gzip
import io
import struct

import pytest
from PIL import Image

from orchestrator.errors import NotFoundError
from orchestrator.services.trial.examples import examples


def idx(labels):
    """Return MNIST's files: each picture is as bright as its label."""
    pictures = b"".join(bytes([label]) * 6 for label in labels)
    images = struct.pack(">4I", 0x803, len(labels), 2, 3) + pictures
    return images, struct.pack(">2I", 0x801, len(labels)) + bytes(labels)


def found(files, number=100):
    return [*examples([*files], files.__getitem__, number)]


@pytest.mark.parametrize("pack", [False, True])
def test_the_test_pictures_of_mnist(pack):
    images, labels = idx([3, 1, 4, 1, 5])
    files = {"t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": labels}
    files = {f"{name}.gz": gzip.compress(data) for name, data in files.items()} if pack else files
    files |= {"train-images-idx3-ubyte": b"", "train-labels-idx1-ubyte": b""}
    assert [one.label for one in found(files)] == ["3", "1", "4", "1", "5"]
    for one in found(files, 3):
        picture = Image.open(io.BytesIO(one.data))
        assert (picture.size, picture.getpixel((0, 0))) == ((3, 2), int(one.label))
    assert len(found(files, 3)) == 3


def test_a_folder_for_each_label():
    files = {
        "train/cat/1.png": b"a",
        "test/dog/2.JPG": b"b",
        "test/cat/3.png": b"c",
        "test/readme.txt": b"",
        "4.png": b"",
    }
    assert [(one.label, one.data) for one in found(files)] == [("cat", b"c"), ("dog", b"b")]
    del files["test/dog/2.JPG"], files["test/cat/3.png"]
    assert [(one.name, one.label) for one in found(files)] == [("train/cat/1.png", "cat")]


def test_what_has_no_pictures_with_labels_is_refused():
    images, labels = idx([1, 2, 3])
    broken = {
        "have no pictures|has no pictures": {"words.txt": b"", "picture.png": b""},
        "too short": {"t10k-images-idx3-ubyte": b"", "t10k-labels-idx1-ubyte": labels},
        "do not belong together": {"t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": idx([1])[1]},
        "or are damaged": {"t10k-images-idx3-ubyte": images[:-1], "t10k-labels-idx1-ubyte": labels},
    }
    for message, files in broken.items():
        with pytest.raises(NotFoundError, match=message):
            found(files)
