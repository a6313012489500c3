"""Paths as scripts write them: of this machine, or of buckets."""

import os
import re

_URL = re.compile(r"^(s3|obs)://", re.IGNORECASE)
_TEXT = type(b"".decode("ascii"))  # in Python 2, `str` is something else
_SLASHES = re.compile("/{2,}")


def is_url(path):
    """Tell whether a path is in a bucket."""
    path = text(path)
    return isinstance(path, _TEXT) and _URL.match(path) is not None


def text(path):
    """Return a path as text; what is no path stays as it is."""
    if hasattr(path, "__fspath__"):
        path = path.__fspath__()
    if isinstance(path, bytes):
        return path.decode("utf-8", "replace") if bytes is str else os.fsdecode(path)
    return path


def url(path):
    """Return a URL with the scheme in small letters and without doubled slashes, which joining paths leaves behind."""
    scheme, _, rest = text(path).partition("://")
    return "%s://%s" % (scheme.lower(), _SLASHES.sub("/", rest))


def join(folder, path):
    """Return what has this relative path in a folder or at a URL."""
    return folder.rstrip("/") + "/" + path if folder.rstrip("/") else "/" + path


def name(path):
    """Return the last part of a path."""
    return path.rstrip("/").rpartition("/")[2]


def local(path):
    """Return an absolute path of this machine."""
    return os.path.abspath(text(path))
