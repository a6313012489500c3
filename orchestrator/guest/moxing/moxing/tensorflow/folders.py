"""Where checkpoints and summaries go: a folder, which is copied to a bucket's when `log_dir` is a URL."""

import os
import shutil
import tempfile

from moxing.framework import file
from moxing.framework.file import paths
from moxing.tensorflow.v1 import tf

INDEX = ".index"  # of a checkpoint; TensorFlow names it without


class LogFolder(object):
    """The folder of a training.

    Args:
        log_dir: Folder, URL or None.

    Attributes:
        local: A folder of this machine; None if nothing is kept.
    """

    def __init__(self, log_dir):
        self._url = paths.url(log_dir) if log_dir and paths.is_url(log_dir) else None
        self._sent = {}
        self.local = scratch() if self._url else log_dir
        if self._url and file.exists(self._url):
            file.copy_parallel(self._url, self.local)
            self._sent = self._look()
        elif self.local:
            file.make_dirs(self.local)

    def send(self):
        """Copy what is new to the bucket."""
        if not self._url:
            return
        now = self._look()
        new = sorted(path for path, state in now.items() if self._sent.get(path) != state)
        if new:
            file.copy_parallel(self.local, self._url, file_list=new)
            self._sent = now

    def leave(self):
        """Delete what is in the bucket."""
        if self._url:
            shutil.rmtree(self.local)

    def listener(self):
        """Return what copies each checkpoint when it is complete."""
        return _Listener(self)

    def _look(self):
        found = {}
        for path in file.list_directory(self.local, recursive=True):
            info = os.stat(os.path.join(self.local, path))
            found[path] = (info.st_size, info.st_mtime)
        return found


class _Listener(tf.train.CheckpointSaverListener):
    def __init__(self, folder):
        self._folder = folder

    def after_save(self, session, global_step_value):
        self._folder.send()


def scratch():
    """Return a new folder on this machine."""
    return tempfile.mkdtemp(prefix="mox-", dir=os.environ.get("DLS_LOCAL_CACHE_PATH") or None)


def checkpoint_in(source):
    """Return the path of the newest checkpoint in a folder or at a URL, or of the one that is named; None if none is.

    One in a bucket is copied to this machine.
    """
    if paths.is_url(source):
        url = paths.url(source)
        local = scratch()
        if file.is_directory(url):
            names = [name for name in file.list_directory(url) if name == "checkpoint" or ".ckpt" in name]
            file.copy_parallel(url, local, file_list=names)
            return tf.train.latest_checkpoint(local)
        folder, _, name = url.rpartition("/")
        parts = (
            [one for one in file.list_directory(folder) if one.startswith(name + ".")] if file.exists(folder) else []
        )
        file.copy_parallel(folder, local, file_list=parts)
        return os.path.join(local, name) if parts else None
    if os.path.isdir(source):
        return tf.train.latest_checkpoint(source)
    return source if os.path.exists(source + INDEX) else None
