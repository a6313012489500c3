"""Converts the MNIST files into a database that Caffe's data layer reads."""

import os
import struct
import sys

from caffe_programs import flags

USAGE = "usage: convert_mnist_data.bin [--backend=lmdb] INPUT_IMAGES INPUT_LABELS OUTPUT_DATABASE"
MAP_SIZE = 1 << 40  # bytes, the most that the database may grow to, as in Caffe's own
IMAGES, LABELS = 2051, 2049  # magic numbers of the idx format
BATCH = 1000  # digits in one transaction


def main():
    """Run the program."""
    options, paths = flags.parse(sys.argv[1:], {"backend": "lmdb"})
    if len(paths) != 3:
        sys.exit(USAGE)
    if options["backend"] != "lmdb":
        sys.exit("convert_mnist_data: backend %s is not there; use --backend=lmdb" % options["backend"])
    images, labels, database = paths
    count, rows, columns, pixels = _read_images(images)
    digits = _read_labels(labels)
    if len(digits) != count:
        sys.exit("convert_mnist_data: %d images, but %d labels" % (count, len(digits)))
    try:
        os.mkdir(database, 0o744)
    except OSError as error:
        sys.exit("convert_mnist_data: mkdir %s failed: %s" % (database, error.strerror))
    print("A total of %d items.\nRows: %d Cols: %d" % (count, rows, columns))
    _write(database, rows, columns, pixels, digits)
    print("Processed %d files." % count)


def _read(path, magic, header):
    """Return the numbers of an idx file's header, and the bytes behind it."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (IOError, OSError) as error:
        sys.exit("convert_mnist_data: cannot open %s: %s" % (path, error.strerror))
    size = struct.calcsize(header)
    numbers = struct.unpack(header, data[:size]) if len(data) >= size else (0,)
    if numbers[0] != magic:
        sys.exit("convert_mnist_data: incorrect magic number %d in %s" % (numbers[0], path))
    return numbers[1:], data[size:]


def _read_images(path):
    (count, rows, columns), pixels = _read(path, IMAGES, ">4i")
    if len(pixels) != count * rows * columns:
        sys.exit("convert_mnist_data: %s is not whole" % path)
    return count, rows, columns, pixels


def _read_labels(path):
    (count,), labels = _read(path, LABELS, ">2i")
    if len(labels) != count:
        sys.exit("convert_mnist_data: %s is not whole" % path)
    return bytearray(labels)


def _write(database, rows, columns, pixels, digits):
    os.environ.setdefault("GLOG_minloglevel", "2")
    import lmdb
    from caffe.proto import caffe_pb2

    size = rows * columns
    datum = caffe_pb2.Datum(channels=1, height=rows, width=columns)
    with lmdb.open(database, map_size=MAP_SIZE, sync=False) as environment:
        for start in range(0, len(digits), BATCH):
            with environment.begin(write=True) as transaction:
                for number in range(start, min(start + BATCH, len(digits))):
                    datum.data = pixels[number * size : (number + 1) * size]
                    datum.label = digits[number]
                    transaction.put(b"%08d" % number, datum.SerializeToString())
        environment.sync(True)
