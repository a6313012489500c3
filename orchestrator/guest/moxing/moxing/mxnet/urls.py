"""Has MXNet read and write URLs: its builds on PyPI have no S3 of their own."""

import functools
import os
import tempfile

from moxing.framework import file
from moxing.framework.file import paths

try:
    import mxnet
except ImportError:  # a script without MXNet may still use `mox.file`
    mxnet = None

_ITERATORS = (
    "CSVIter",
    "ImageDetRecordIter",
    "ImageRecordInt8Iter",
    "ImageRecordIter",
    "ImageRecordIter_v1",
    "ImageRecordUInt8Iter",
    "ImageRecordUInt8Iter_v1",
    "LibSVMIter",
    "MNISTIter",
)
_MARK = "takes_urls"


def take_urls():
    """Wrap what of MXNet opens files by name; they are copied to this machine first, or to the bucket afterwards."""
    if mxnet is None:
        return
    for name in _ITERATORS:
        _wrap(mxnet.io, name, _reading)
    _wrap(mxnet.nd, "load", _reading)
    _wrap(mxnet.sym, "load", _reading)
    _wrap(mxnet.nd, "save", functools.partial(_writing, position=0))
    _wrap(mxnet.sym.Symbol, "save", functools.partial(_writing, position=1))


def _wrap(place, name, wrapper):
    original = getattr(place, name, None)
    if original is not None and not hasattr(original, _MARK):
        wrapped = wrapper(original)
        setattr(wrapped, _MARK, True)
        setattr(place, name, wrapped)


def _reading(original):
    @functools.wraps(original)
    def read(*args, **kwargs):
        args = [_fetched(value) for value in args]
        return original(*args, **{name: _fetched(value) for name, value in kwargs.items()})

    return read


def _writing(original, position):
    @functools.wraps(original)
    def write(*args, **kwargs):
        args = list(args)
        given = kwargs if "fname" in kwargs else args
        key = "fname" if "fname" in kwargs else position
        url = given[key]
        if not paths.is_url(url):
            return original(*args, **kwargs)
        given[key] = os.path.join(_scratch(), paths.name(url))
        done = original(*args, **kwargs)
        file.copy(given[key], url)
        os.remove(given[key])
        return done

    return write


def _fetched(value):
    """Return the path of a copy of what is at a URL; anything else as it is."""
    if not paths.is_url(value):
        return value
    local = os.path.join(_scratch(), paths.name(value))
    file.copy(value, local)
    return local


def _scratch():
    return tempfile.mkdtemp(prefix="mox-", dir=os.environ.get("DLS_LOCAL_CACHE_PATH") or None)
