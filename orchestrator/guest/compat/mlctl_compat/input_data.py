"""`tensorflow.examples.tutorials.mnist.input_data`: the MNIST files of a folder, as arrays, in batches.

The interface is that of TensorFlow 1's tutorials. Nothing is downloaded.
"""

import collections
import gzip
import struct

import numpy as np

try:
    from tensorflow.io import gfile  # folders and URLs
except ImportError:
    gfile = None

Datasets = collections.namedtuple("Datasets", ["train", "validation", "test"])
_IMAGES, _LABELS = 2051, 2049  # magic numbers of the idx format: bytes in three dimensions, and in one
_FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "t10k": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


def _read(folder, name):
    """Return a file's content, unpacked; the plain file will do where there is no `.gz`."""
    path = folder.rstrip("/") + "/" + name
    try:
        return gzip.decompress(_content(path))
    except Exception as error:  # noqa: BLE001 - of gfile, each store has its own
        try:
            return _content(path[: -len(".gz")])
        except Exception:  # noqa: BLE001
            raise IOError("cannot read %s: %s" % (path, error))


def _content(path):
    with gfile.GFile(path, "rb") if gfile else open(path, "rb") as file:
        return file.read()


def _images(data, path):
    magic, count, rows, columns = struct.unpack(">4i", data[:16])
    if magic != _IMAGES:
        raise ValueError("Invalid magic number %d in MNIST image file: %s" % (magic, path))
    return np.frombuffer(data, np.uint8, offset=16).reshape(count, rows, columns, 1)


def _labels(data, path, one_hot):
    magic, count = struct.unpack(">2i", data[:8])
    if magic != _LABELS:
        raise ValueError("Invalid magic number %d in MNIST label file: %s" % (magic, path))
    labels = np.frombuffer(data, np.uint8, offset=8)[:count]
    return np.eye(10)[labels] if one_hot else labels


class DataSet(object):
    """Images and labels, given out in batches."""

    def __init__(
        self, images, labels, fake_data=False, one_hot=False, dtype=np.float32, reshape=True, seed=None
    ):  # the tutorials' own order
        if reshape:
            images = images.reshape(len(images), images.shape[1] * images.shape[2])
        if getattr(dtype, "as_numpy_dtype", dtype) == np.float32:  # TensorFlow's types as well as NumPy's
            images = images.astype(np.float32) / 255
        self._images, self._labels = images, labels
        self._random = np.random.RandomState(seed)
        self._epochs_completed, self._index = 0, 0

    images = property(lambda self: self._images)
    labels = property(lambda self: self._labels)
    num_examples = property(lambda self: len(self._images))
    epochs_completed = property(lambda self: self._epochs_completed)

    def next_batch(self, batch_size, fake_data=False, shuffle=True):
        """Return the next images and labels; one epoch's rest and the next one's start may be in one batch."""
        if shuffle and self._index == 0 and self._epochs_completed == 0:
            self._shuffle()
        start, self._index = self._index, self._index + batch_size
        if self._index <= self.num_examples:
            return self._images[start : self._index], self._labels[start : self._index]
        images, labels = self._images[start:], self._labels[start:]
        self._epochs_completed += 1
        self._index = batch_size - len(images)
        if shuffle:
            self._shuffle()
        return (
            np.concatenate([images, self._images[: self._index]]),
            np.concatenate([labels, self._labels[: self._index]]),
        )

    def _shuffle(self):
        order = self._random.permutation(self.num_examples)
        self._images, self._labels = self._images[order], self._labels[order]


def read_data_sets(
    train_dir,
    fake_data=False,
    one_hot=False,
    dtype=np.float32,
    reshape=True,
    validation_size=5000,
    seed=None,
    source_url=None,
):
    """Return the training, validation and test sets of a folder.

    Args:
        train_dir: Folder, or URL that TensorFlow can read, of the four `.gz` files.
        fake_data: Not supported.
        one_hot: Whether a label is a row with a 1 for its digit.
        dtype: float32: pixels from 0 to 1; uint8: from 0 to 255.
        reshape: Whether an image is a row of 784 pixels.
        validation_size: Images that are taken from the training set.
        seed: Of the order.
        source_url: Ignored: nothing is downloaded.
    """
    if fake_data:
        raise ValueError("fake_data is not supported: give the folder of the real digits")
    sets = {}
    for subset, (images, labels) in _FILES.items():
        sets[subset] = (
            _images(_read(train_dir, images), images),
            _labels(_read(train_dir, labels), labels, one_hot),
        )
    images, labels = sets["train"]
    if not 0 <= validation_size <= len(images):
        raise ValueError("Validation size should be between 0 and %d. Received: %d." % (len(images), validation_size))
    options = {"dtype": dtype, "reshape": reshape, "seed": seed}
    return Datasets(
        train=DataSet(images[validation_size:], labels[validation_size:], **options),
        validation=DataSet(images[:validation_size], labels[:validation_size], **options),
        test=DataSet(*sets["t10k"], **options),
    )


def load_mnist(train_dir="MNIST-data"):
    """Return the three sets of a folder."""
    return read_data_sets(train_dir)
