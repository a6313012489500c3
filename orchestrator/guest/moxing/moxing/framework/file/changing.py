"""Write, copy, move and delete, on this machine or in buckets."""

import errno
import os
import shutil
import warnings

from moxing.framework.file import client, paths, trees
from moxing.framework.file.handle import File, fetch
from moxing.framework.file.looking import is_directory, stat


def write(url, data):
    """Write text or bytes to a file, in the place of what it held."""
    with File(url, "w" if isinstance(data, str) else "wb") as file:
        file.write(data)


def append(url, data):
    """Write text or bytes to the end of a file, which is made if need be."""
    with File(url, "a" if isinstance(data, str) else "ab") as file:
        file.write(data)


def copy(src_url, dst_url):
    """Copy a file; the folder it goes to is made. Where that is named instead of a file, the name stays.

    Raises:
        IOError: There is no such file; or it is a folder, for which there is `copy_parallel`.
    """
    if stat(src_url).is_directory:
        message = "%s is a folder: mox.file.copy copies one file, mox.file.copy_parallel(%r, %r) all of a folder"
        raise IOError(errno.EISDIR, message % (src_url, src_url, dst_url))
    dst_url = paths.text(dst_url)
    into = dst_url.endswith("/") or (not paths.is_url(dst_url) and os.path.isdir(dst_url))
    if into:
        dst_url = paths.join(dst_url, paths.name(paths.text(src_url)))
    if not paths.is_url(dst_url):
        dst_url = paths.local(dst_url)
        trees.make_folder(os.path.dirname(dst_url))
        if paths.is_url(src_url):
            fetch(paths.url(src_url), dst_url)
        elif not os.path.exists(dst_url) or not os.path.samefile(paths.text(src_url), dst_url):
            shutil.copyfile(paths.text(src_url), dst_url)
    elif paths.is_url(src_url):
        client.ask("copy", source=paths.url(src_url), target=paths.url(dst_url))
    else:
        trees.send_file(paths.local(src_url), paths.url(dst_url))


def copy_parallel(src_url, dst_url, file_list=None, threads=16, is_processing=True, use_queue=True):
    """Copy what is in a folder into another, several files at once. What else is there stays; a file is copied, too.

    Args:
        src_url: The folder.
        dst_url: The folder that it goes to, which is made.
        file_list: Only these, by their paths in the folder.
        threads: Files at once, at most 64.
        is_processing: Of no use here: other processes do the work in any case.
        use_queue: The same.

    Raises:
        IOError: Some could not be copied; names them. The others are there.
    """
    if not stat(src_url).is_directory:
        copy(src_url, dst_url)
        return
    files = None if file_list is None else [paths.text(one).lstrip("/") for one in file_list]
    threads = max(1, int(threads))
    if paths.is_url(src_url) and paths.is_url(dst_url):
        asked = {"files": files, "threads": threads}
        client.ask("copy-tree", source=paths.url(src_url), target=paths.url(dst_url), **asked)
    elif paths.is_url(src_url):
        trees.bring(paths.url(src_url), paths.local(dst_url), files, threads)
    elif paths.is_url(dst_url):
        trees.send(paths.local(src_url), paths.url(dst_url), files, threads)
    else:
        trees.copy(paths.local(src_url), paths.local(dst_url), files)


def make_dirs(url):
    """Make a folder and those above it; one that is there stays. In a bucket it is remembered while the job runs."""
    if paths.is_url(url):
        client.ask("make", url=paths.url(url))
    else:
        trees.make_folder(paths.local(url))


def mk_dir(url):
    """Make a folder, as `make_dirs`; on this machine the one above it has to be there."""
    if paths.is_url(url):
        make_dirs(url)
    elif not os.path.isdir(paths.text(url)):
        os.mkdir(paths.text(url))


def remove(url, recursive=False):
    """Delete a file, or with `recursive` a folder. Without it a folder stays as it is, and a warning says so.

    Raises:
        IOError: There is nothing.
    """
    if is_directory(url) and not recursive:
        message = "%s is a folder and stays: mox.file.remove(%r, recursive=True) deletes it"
        warnings.warn(message % (url, url), stacklevel=2)
    elif paths.is_url(url):
        client.ask("remove", url=paths.url(url), recursive=recursive)
    elif is_directory(url) and not os.path.islink(paths.text(url)):
        shutil.rmtree(paths.text(url))
    else:
        os.remove(paths.text(url))


def rename(src_url, dst_url):
    """Move a file or a folder. In buckets that is a copy, and only when it is complete the old one is deleted."""
    if not paths.is_url(src_url) and not paths.is_url(dst_url):
        os.rename(paths.text(src_url), paths.text(dst_url))
    elif is_directory(src_url):
        copy_parallel(src_url, dst_url)
        remove(src_url, recursive=True)
    else:
        copy(src_url, dst_url)
        remove(src_url)


def set_auth(*args, **kwargs):
    """Change nothing: the keys to buckets are those of mlctl's context, and no script sees them."""
    message = "mox.file.set_auth changes nothing: buckets are reached with the keys of mlctl's context"
    warnings.warn(message, stacklevel=2)
