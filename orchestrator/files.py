"""Small files that others read at any time: whole, or as they were."""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Put a file in the place of another, for readers and for whoever writes the same one at once.

    Args:
        path: Of the file; its folder exists.
        data: All of it.
        mode: Permissions, of which the process's umask takes some away.

    Raises:
        OSError: It could not be written; the old one, if there was one, is as it was.
    """
    temporary = path.with_name(f"{path.name}.{os.urandom(6).hex()}")
    try:
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
