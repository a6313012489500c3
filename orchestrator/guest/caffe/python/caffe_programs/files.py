"""Files that networks and solvers are described in, and the paths in them."""

import contextlib
import os
import sys
import tempfile

USUAL = "/cache/"  # where such files expect scratch space


def check_readable(*paths):
    """End the program where a file is missing."""
    for path in paths:
        if not os.path.isfile(path):
            sys.exit("caffe: there is no file %s" % path)


def refuse_gpu(wanted):
    """End the program if it was asked for GPUs."""
    if wanted:
        sys.exit("caffe: -gpu %s: this build of Caffe computes on the CPU; leave -gpu out" % wanted)


def text_message(message, path):
    """Return a message read from a text file."""
    from google.protobuf import text_format

    with open(path) as file:
        try:
            return text_format.Parse(file.read(), message)
        except text_format.ParseError as error:
            sys.exit("caffe: failed to parse %s: %s" % (path, error))


def own_path(path):
    """Return where a path below /cache really is: scratch space has another place where /cache cannot be made."""
    cache = os.environ.get("DLS_LOCAL_CACHE_PATH", "")
    if not path.startswith(USUAL) or not cache or os.path.exists(path):
        return path
    return os.path.join(cache, path[len(USUAL) :])


def replace_paths(net):
    """Let a network's layers read from where their data really is."""
    for layer in net.layer:
        for part, field in (("data_param", "source"), ("image_data_param", "source"), ("hdf5_data_param", "source")):
            if layer.HasField(part):
                source = getattr(layer, part)
                setattr(source, field, own_path(getattr(source, field)))


@contextlib.contextmanager
def as_file(message):
    """Give a message as a file, which is all that Caffe's interface takes."""
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(str(message))
        file.flush()
        yield file.name


def with_own_paths(net):
    """Give a network as a file, its paths replaced."""
    replace_paths(net)
    return as_file(net)
