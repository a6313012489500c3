"""What is there, on this machine or in a bucket."""

import errno
import fnmatch
import glob as _glob
import os
import re

from moxing.framework.file import client, paths
from moxing.framework.file.handle import File

_MAGIC = re.compile(r"[*?\[]")


class Stat(object):
    """Size, time and kind of what is at a path or URL.

    Attributes:
        length: Bytes; 0 of a folder.
        mtime_nsec: When it was changed, in nanoseconds since 1970.
        is_directory: Whether it is a folder.
    """

    def __init__(self, length, mtime_nsec, is_directory):
        self.length = length
        self.mtime_nsec = mtime_nsec
        self.is_directory = is_directory

    def __repr__(self):
        return "Stat(length=%d, mtime_nsec=%d, is_directory=%s)" % (self.length, self.mtime_nsec, self.is_directory)


class Entry(object):
    """One of the things in a folder, as `os.scandir` gives them.

    Attributes:
        name: In the folder.
        path: With the folder.
    """

    def __init__(self, folder, name, found):
        self.name = name
        self.path = paths.join(folder, name)
        self._stat = found

    def is_dir(self):
        """Tell whether it is a folder."""
        return self._stat.is_directory

    def is_file(self):
        """Tell whether it is a file."""
        return not self._stat.is_directory

    def stat(self):
        """Return its size and time."""
        return self._stat


def exists(url):
    """Tell whether there is a file or a folder."""
    return _look(url) is not None


def is_directory(url):
    """Tell whether there is a folder."""
    found = _look(url)
    return found is not None and found.is_directory


def stat(url):
    """Return size, time and kind. Raises IOError if nothing is there."""
    return _required(url)


def get_size(url, recursive=False):
    """Return the bytes of a file, or with `recursive` of all files in a folder.

    Raises:
        IOError: There is nothing, or a folder without `recursive`.
    """
    found = _required(url)
    if not found.is_directory:
        return found.length
    if not recursive:
        raise IOError(errno.EISDIR, "%s is a folder: get_size(%r, recursive=True) adds up its files" % (url, url))
    return sum(one.length for _, one in entries(url, recursive=True) if not one.is_directory)


def read(url, binary=False):
    """Return what a file holds: text, which is UTF-8, or bytes if `binary`."""
    with File(url, "rb" if binary else "r") as file:
        return file.read()


def list_directory(url, recursive=False):
    """Return the names of what is in a folder, or with `recursive` the relative paths of all files below it."""
    return [path for path, found in entries(url, recursive) if not (recursive and found.is_directory)]


def scan_dir(url):
    """Yield what is in a folder, with `name`, `path`, `is_dir()`, `is_file()` and `stat()`."""
    for name, found in entries(url):
        yield Entry(_shown(url), name, found)


def walk(url):
    """Yield folder, names of folders and names of files in it, for each folder from the top down, as `os.walk`."""
    if not paths.is_url(url):
        for found in os.walk(url):
            yield found
        return
    folders, files = {"": []}, {"": []}
    for path, found in entries(url, recursive=True):
        above, _, name = path.rpartition("/")
        if found.is_directory:
            folders[path], files[path] = [], []
        (folders if found.is_directory else files).setdefault(above, []).append(name)
    waiting = [""]
    while waiting:
        path = waiting.pop(0)
        names = folders.get(path, [])
        yield paths.join(_shown(url), path) if path else _shown(url), names, files.get(path, [])
        waiting = [(path + "/" if path else "") + name for name in names] + waiting


def glob(pattern):
    """Return the paths or URLs that fit a pattern of `*`, `?` and `[...]`, none of which stands for a slash."""
    if not paths.is_url(pattern):
        return _glob.glob(pattern)
    pattern = _shown(pattern)
    if not _MAGIC.search(pattern):
        return [pattern] if exists(pattern) else []
    steps = pattern.split("/")
    fixed = next(number for number, step in enumerate(steps) if _MAGIC.search(step))
    top, wanted = "/".join(steps[:fixed]), steps[fixed:]
    if fixed < 3:
        raise IOError(errno.EINVAL, "%s has a pattern in the name of its bucket" % pattern)
    try:
        found = [path for path, _ in entries(top, recursive=len(wanted) > 1)]
    except IOError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return []
        raise
    return [paths.join(top, path) for path in found if _fits(path.split("/"), wanted)]


def entries(url, recursive=False):
    """Return relative path and Stat of what is in a folder, or below it, by path.

    Raises:
        IOError: It is no folder.
    """
    if paths.is_url(url):
        listed = client.ask("list", url=paths.url(url), recursive=recursive)
        return [(_native(path), _stat_of(size, modified)) for path, size, modified in listed]
    top = _native(paths.text(url))
    if not recursive:
        return [(name, stat(os.path.join(top, name))) for name in sorted(os.listdir(top)) if _is_there(top, name)]
    found = []
    os.listdir(top)  # which raises, unlike `walk`
    for folder, names, files in os.walk(top, followlinks=True):
        for name in names + files:
            if _is_there(folder, name):
                path = os.path.join(folder, name)
                found.append((os.path.relpath(path, top).replace(os.sep, "/"), stat(path)))
    return sorted(found, key=lambda one: one[0])


def _is_there(folder, name):
    return os.path.exists(os.path.join(folder, name))  # and is no dangling link


def _fits(steps, patterns):
    return len(steps) == len(patterns) and all(
        fnmatch.fnmatchcase(step, one) and (one.startswith(".") or not step.startswith("."))
        for step, one in zip(steps, patterns)
    )


def _look(url):
    if paths.is_url(url):
        found = client.ask("look", url=paths.url(url))
        if found is None:
            return None
        return _stat_of(found["size"], found["modified"]) if found["kind"] == "file" else _stat_of(-1, 0)
    try:
        info = os.stat(paths.text(url))
    except OSError:
        return None
    folder = os.path.isdir(paths.text(url))
    return Stat(0 if folder else info.st_size, int(info.st_mtime * 1e9), folder)


def _required(url):
    found = _look(url)
    if found is None:
        raise IOError(errno.ENOENT, "there is nothing at %s" % url)
    return found


def _stat_of(size, modified):
    return Stat(max(0, size), int(modified * 1e9), size < 0)


def _shown(url):
    return _native(paths.url(url)).rstrip("/") if paths.is_url(url) else url


def _native(value):
    """Return text as Python's own kind of string, which in Python 2 are bytes."""
    return value.encode("utf-8") if str is bytes else value
