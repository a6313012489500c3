"""A file object for a path or a URL."""

import errno
import io
import os
import shutil
import tempfile

from moxing.framework.file import client, paths

_NO_FILE = io.BytesIO()
_NO_FILE.close()


class File(object):
    """A file that is open: of this machine, or of a bucket. What is written to a bucket is there when it is closed.

    Args:
        name: Path or URL.
        mode: As of `open`.
        options: More of `open`'s, as in `encoding="utf-8"`; Python 2 has none.
    """

    def __init__(self, name, mode="r", **options):
        self.name = name
        self.mode = mode
        self._file = _NO_FILE  # for __del__, should something fail
        self._send_to = None
        self._copy = None
        self._owner = os.getpid()
        if not paths.is_url(name):
            self._file = _open(name, mode, **options)
            return
        url = paths.url(name)
        if url.endswith("/"):
            raise IOError(errno.EISDIR, "%s is a folder, not a file" % url)
        self._copy = _fetched(url, mode)
        try:
            self._file = _open(self._copy, mode.replace("x", "w"), **options)
        except BaseException:
            os.unlink(self._copy)
            raise
        if set(mode) & set("wax+"):
            self._send_to = url
        else:
            os.unlink(self._copy)  # it stays as long as it is open
            self._copy = None

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()

    def __iter__(self):
        return iter(self._file)

    def __next__(self):
        return next(self._file)

    next = __next__

    def __del__(self):
        if not self._file.closed:
            self.close()

    def size(self):
        """Return the bytes of the file, with what was written by now."""
        if self._send_to:
            self._file.flush()
        return os.fstat(self._file.fileno()).st_size

    def close(self):
        """Close it; what was written goes to its bucket now.

        Raises:
            IOError: It could not be written.
        """
        if self._file.closed:
            return
        self._file.close()
        if self._send_to and self._owner == os.getpid():  # and not a forked child's copy of it
            try:
                client.ask("send", path=self._copy, url=self._send_to)
            finally:
                os.unlink(self._copy)


def temporary_folder():
    """Return a new folder that both this process and the one beside it see."""
    return tempfile.mkdtemp(prefix="mox-", dir=client.exchange() or None)


def fetch(url, path):
    """Write a file of a bucket to a path of this machine, whatever folder that is in."""
    if client.is_shared(os.path.dirname(path)):
        client.ask("bring", url=url, path=path)
        return
    between = _fetched(url, "r")
    try:
        move(between, path)
    finally:
        discard(between)


def discard(path):
    """Delete a file, if it is there."""
    try:
        os.unlink(path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def move(source, target):
    """Put a file in the place of another, also on another disk."""
    try:
        os.rename(source, target)
    except OSError:
        partial = "%s.mox-%d" % (target, os.getpid())
        shutil.copyfile(source, partial)
        os.rename(partial, target)


def _fetched(url, mode):
    """Return the path of a new file with what the bucket has, as far as the mode wants it."""
    client.require(url)
    descriptor, path = tempfile.mkstemp(prefix="mox-", dir=client.exchange() or None)
    os.close(descriptor)
    os.chmod(path, 0o664)
    try:
        if "r" in mode or "a" in mode or "x" in mode:
            there = "r" in mode or client.ask("look", url=url)
            if there and "x" in mode:
                raise IOError(errno.EEXIST, "%s exists" % url)
            if there:
                client.ask("bring", url=url, path=path)
    except BaseException:
        os.unlink(path)
        raise
    return path


def _open(path, mode, **options):
    if str is not bytes and "b" not in mode:
        options.setdefault("encoding", "utf-8")
    return _builtin_open(path, mode, **options)


_builtin_open = open  # `shift` may put another one in its place
