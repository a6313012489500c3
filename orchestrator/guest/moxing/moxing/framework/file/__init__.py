"""Files on this machine and in buckets (s3://, obs://): `mox.file`."""

from moxing import uncovered
from moxing.framework.file.changing import (
    append,
    copy,
    copy_parallel,
    make_dirs,
    mk_dir,
    remove,
    rename,
    set_auth,
    write,
)
from moxing.framework.file.client import FileServiceError
from moxing.framework.file.handle import File
from moxing.framework.file.looking import (
    exists,
    get_size,
    glob,
    is_directory,
    list_directory,
    read,
    scan_dir,
    stat,
    walk,
)
from moxing.framework.file.shifting import shift

__all__ = [
    "File",
    "FileServiceError",
    "append",
    "copy",
    "copy_parallel",
    "exists",
    "get_size",
    "glob",
    "is_directory",
    "list_directory",
    "make_dirs",
    "mk_dir",
    "read",
    "remove",
    "rename",
    "scan_dir",
    "set_auth",
    "shift",
    "stat",
    "walk",
    "write",
]

uncovered.guard(__name__)
