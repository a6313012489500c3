"""Copy folders, also those that the process beside the script does not see: then through the exchange folder."""

import errno
import os
import shutil

from moxing.framework.file import client
from moxing.framework.file.handle import discard, move, temporary_folder

LOT = 1 << 30  # bytes that pass through the exchange folder at once: its disk has to hold them


def bring(url, folder, files, threads):
    """Write what is below a URL into a folder of this machine."""
    make_folder(folder)
    if client.is_shared(os.path.join(folder, "file")):
        client.ask("bring-tree", url=url, path=folder, files=files, threads=threads)
        return
    listed = client.ask("list", url=url, recursive=True)
    sizes = {path: size for path, size, _ in listed if size >= 0}
    for lot in _lots(sorted(sizes) if files is None else files, lambda path: sizes.get(path, 0)):
        _through_exchange(url, folder, lot, threads)


def _through_exchange(url, folder, files, threads):
    between = temporary_folder()
    try:
        client.ask("bring-tree", url=url, path=between, files=files, threads=threads)
        for path in files:
            target = os.path.join(folder, path)
            make_folder(os.path.dirname(target))
            move(os.path.join(between, path), target)
    finally:
        shutil.rmtree(between, ignore_errors=True)


def send(folder, url, files, threads):
    """Write what is in a folder of this machine below a URL."""
    asked = {"url": url, "threads": threads}
    if client.is_shared(os.path.join(folder, "file")):
        client.ask("send-tree", path=folder, files=files, **asked)
        return
    wanted = below(folder) if files is None else files
    for lot in _lots(wanted, lambda path: os.path.getsize(os.path.join(folder, path))):
        between = temporary_folder()
        try:
            for path in lot:
                _lay_beside(os.path.join(folder, path), os.path.join(between, path))
            client.ask("send-tree", path=between, files=lot, **asked)
        finally:
            shutil.rmtree(between, ignore_errors=True)
    if not wanted:
        client.ask("make", url=url)


def send_file(path, url):
    """Write a file of this machine to a bucket."""
    if client.is_shared(path):
        client.ask("send", path=path, url=url)
        return
    between = os.path.join(temporary_folder(), "file")
    try:
        _lay_beside(path, between)
        client.ask("send", path=between, url=url)
    finally:
        discard(between)
        os.rmdir(os.path.dirname(between))


def copy(folder, target, files):
    """Copy what is in a folder of this machine into another."""
    for path in below(folder) if files is None else files:
        goal = os.path.join(target, path)
        make_folder(os.path.dirname(goal))
        if not os.path.exists(goal) or not os.path.samefile(os.path.join(folder, path), goal):
            shutil.copyfile(os.path.join(folder, path), goal)
    make_folder(target)


def below(folder):
    """Return the relative paths of all files below a folder; links are followed, those that lead nowhere left out."""
    found = []
    for above, _, names in os.walk(folder, followlinks=True):
        paths = [os.path.join(above, name) for name in names]
        found += [os.path.relpath(path, folder) for path in paths if os.path.exists(path)]
    return sorted(found)


def make_folder(folder):
    """Make a folder and those above it, unless it is there."""
    try:
        os.makedirs(folder)
    except OSError as error:
        if error.errno != errno.EEXIST or not os.path.isdir(folder):
            raise


def _lots(paths, size):
    """Yield lists of paths, so that no more than LOT bytes are under way at once, unless one file is larger."""
    lot, total = [], 0
    for path in paths:
        if lot and total + size(path) > LOT:
            yield lot
            lot, total = [], 0
        lot.append(path)
        total += size(path)
    if lot:
        yield lot


def _lay_beside(path, target):
    """Have a file at another path, too, if possible without copying it."""
    make_folder(os.path.dirname(target))
    try:
        os.link(os.path.realpath(path), target)
    except OSError:
        shutil.copyfile(path, target)
