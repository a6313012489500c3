"""Have Python's own functions take URLs: `mox.file.shift("os", "mox")`."""

import functools
import glob
import io
import os
import shutil
import sys

from moxing.framework.file import changing, handle, looking, paths

try:
    import builtins
except ImportError:  # Python 2
    import __builtin__ as builtins

_originals = {}


def shift(source, target):
    """Put functions that take URLs in the place of Python's own, or back.

    Args:
        source: `os`, to go from Python's own; `mox`, to go back to them.
        target: The other one.

    Raises:
        ValueError: It is neither.
    """
    if (source, target) == ("os", "mox"):
        _shift()
    elif (source, target) == ("mox", "os"):
        for (module, name), original in _originals.items():
            setattr(module, name, original)
        _originals.clear()
    else:
        raise ValueError("shift('os', 'mox') or shift('mox', 'os'), not shift(%r, %r)" % (source, target))


def _shift():
    for module, name, ours in _replacements():
        if (module, name) not in _originals and hasattr(module, name):
            original = getattr(module, name)
            _originals[module, name] = original
            setattr(module, name, _for_urls(original, ours))


def _for_urls(original, ours):
    """Return a function that does the one thing for URLs and the other for all else."""

    @functools.wraps(original, assigned=("__module__", "__name__", "__doc__"))
    def shifted(*args, **kwargs):
        if any(paths.is_url(value) for value in args[:2]):
            return ours(*args, **kwargs)
        return original(*args, **kwargs)

    return shifted


def _replacements():
    both = [
        (builtins, "open", _open),
        (io, "open", _open),
        (os, "listdir", looking.list_directory),
        (os, "makedirs", lambda url, *_, **__: changing.make_dirs(url)),
        (os, "mkdir", lambda url, *_, **__: changing.mk_dir(url)),
        (os, "remove", lambda url, **_: changing.remove(url)),
        (os, "unlink", lambda url, **_: changing.remove(url)),
        (os, "rmdir", lambda url, **_: changing.remove(url, recursive=True)),
        (os, "rename", lambda source, target, **_: changing.rename(source, target)),
        (os, "replace", lambda source, target, **_: changing.rename(source, target)),
        (os, "scandir", lambda url: _Scan(looking.scan_dir(url))),
        (os, "stat", lambda url, **_: _stat_result(looking.stat(url))),
        (os, "walk", lambda url, *_, **__: looking.walk(url)),
        (os.path, "exists", looking.exists),
        (os.path, "getsize", looking.get_size),
        (os.path, "isdir", looking.is_directory),
        (os.path, "isfile", lambda url: looking.exists(url) and not looking.is_directory(url)),
        (os.path, "abspath", paths.url),
        (os.path, "realpath", paths.url),
        (glob, "glob", lambda pattern, **_: looking.glob(pattern)),
        (glob, "iglob", lambda pattern, **_: iter(looking.glob(pattern))),
        (shutil, "copy", lambda source, target, **_: changing.copy(source, target) or target),
        (shutil, "copy2", lambda source, target, **_: changing.copy(source, target) or target),
        (shutil, "copyfile", lambda source, target, **_: changing.copy(source, target) or target),
        (shutil, "copytree", lambda source, target, *_, **__: changing.copy_parallel(source, target) or target),
        (shutil, "move", lambda source, target, **_: changing.rename(source, target) or target),
        (shutil, "rmtree", lambda url, *_, **__: changing.remove(url, recursive=True)),
    ]
    if "torch" in sys.modules:  # it opens files in C++
        import torch

        both += [
            (torch, "save", _with_file(torch.save, 1, "wb")),
            (torch, "load", _with_file(torch.load, 0, "rb")),
        ]
    return both


def _open(name, mode="r", *_, **options):
    options.pop("buffering", None)
    return handle.File(name, mode, **options)


def _with_file(original, position, mode):
    """Return a function that gives the original an open file where it is given a URL."""

    def opened(*args, **kwargs):
        with handle.File(args[position], mode) as file:
            return original(*(args[:position] + (file,) + args[position + 1 :]), **kwargs)

    return opened


def _stat_result(found):
    seconds = found.mtime_nsec / 1e9
    mode = 0o040755 if found.is_directory else 0o100644
    return os.stat_result((mode, 0, 0, 1, 0, 0, found.length, int(seconds), int(seconds), int(seconds)))


class _Scan(object):
    """What `os.scandir` returns: an iterator that can be closed."""

    def __init__(self, entries):
        self._entries = entries

    def __iter__(self):
        return self._entries

    def __next__(self):
        return next(self._entries)

    next = __next__

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Be done."""
        self._entries.close()
