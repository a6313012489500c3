"""Makes the namespaces of a container, builds its view of the machine, and becomes its command as process 1.

A program of its own, with the standard library alone, so that it starts quickly:

    python -I -S sandbox_init.py SPEC REPORT

SPEC is a JSON file (`sandbox.Process` writes it); to the file descriptor REPORT go the number of the process and, if
the command could not be started, that of the error. It ends as the command does: with 128 + the signal that killed it.
"""

import ctypes
import errno
import json
import os
import signal
import sys

NEW_MOUNTS, NEW_HOST, NEW_USERS, NEW_PIDS = 0x20000, 0x4000000, 0x10000000, 0x20000000  # of unshare(2)
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 0x20, 0x1000, 0x4000, 0x40000  # of mount(2)
KEPT_FLAGS = 0xF  # that a remount must repeat: read-only, nosuid, nodev, noexec
DIE_WITH_PARENT, NO_NEW_RIGHTS = 1, 38  # of prctl(2)
LIBC = ctypes.CDLL(None, use_errno=True)


def main(path, report):
    os.set_inheritable(report, False)
    with open(path) as file:
        spec = json.load(file)
    _enter_namespaces(spec["users"])
    ready, failed = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _become(spec)
        except OSError as error:
            os.write(failed, f" {error.errno}".encode())
        finally:
            os._exit(126)
    os.close(failed)
    os.write(report, str(pid).encode() + os.read(ready, 100))
    os.close(report)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    status = os.waitpid(pid, 0)[1]
    os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


def _check(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _mount(source, target, kind="", flags=0, options=""):
    _check(LIBC.mount(*(text.encode() for text in (source, target, kind)), flags, options.encode()))


def _enter_namespaces(users):
    uid, gid = os.geteuid(), os.getegid()
    _check(LIBC.unshare(NEW_MOUNTS | NEW_HOST | NEW_PIDS | (NEW_USERS if users else 0)))
    if users:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    _mount("none", "/", flags=RECURSIVE | PRIVATE)


def _become(spec):
    LIBC.prctl(DIE_WITH_PARENT, signal.SIGKILL)
    os.setsid()
    root = spec["root"]
    LIBC.sethostname(spec["host"].encode(), len(spec["host"].encode()))
    _fill(root, "")
    try:
        _mount("proc", f"{root}/proc", "proc")
    except OSError:  # hidden in part, as within some containers
        _mount("/proc", f"{root}/proc", flags=BIND | RECURSIVE)
    for source, target, read_only in spec["mounts"]:
        _bind(root, source, os.path.realpath(target), read_only)
    folder = spec["folder"]
    _prepare(root, folder)
    os.chroot(root)
    os.chdir(folder)
    if spec["user"] is not None:
        user, group, groups = spec["user"]
        os.setgroups(groups)
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    if spec["no_new_rights"]:
        LIBC.prctl(NO_NEW_RIGHTS, 1, 0, 0, 0)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(spec["words"][0], spec["words"], spec["environment"])


def _fill(root, folder):
    """Make a folder of our own, with the machine's entries of the folder bound in it."""
    _mount("tmpfs", root + folder, "tmpfs", options="mode=755")
    with os.scandir(folder or "/") as entries:
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.is_symlink():
                os.symlink(os.readlink(path), root + path)
            elif entry.is_dir():
                os.mkdir(root + path)
                if path != "/proc":
                    _mount(path, root + path, flags=BIND | RECURSIVE)
            elif folder and entry.is_file():
                _bind_file(path, root + path)


def _prepare(root, path):
    """Make sure that a folder is there to be mounted over or worked in, without making anything on the machine."""
    if os.path.isdir(root + path):
        return
    parent = os.path.dirname(path)
    _prepare(root, parent)
    if parent != "/" and os.path.isdir(parent):
        _fill(root, parent)
    os.mkdir(root + path)


def _bind(root, source, target, read_only):
    if os.path.isdir(source):
        _prepare(root, target)
        _mount(source, root + target, flags=BIND)
    else:
        parent = os.path.dirname(target)
        _prepare(root, parent)
        if not os.path.exists(root + target):
            _fill(root, parent)
        _bind_file(source, root + target)
    if read_only:
        kept = os.statvfs(root + target).f_flag & KEPT_FLAGS
        _mount("none", root + target, flags=REMOUNT | BIND | READ_ONLY | kept)


def _bind_file(source, target):
    with open(target, "a"):
        pass
    _mount(source, target, flags=BIND)


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]))
    except OSError as error:
        os.write(int(sys.argv[2]), f"0 {error.errno or errno.EIO}".encode())
        os._exit(125)
