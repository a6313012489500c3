"""Processes that outlive the command that starts them."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def start_detached(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path, inherited: int
) -> None:
    """Start a process in a session of its own, without a terminal.

    Args:
        command: The program and its arguments.
        folder: To start in.
        environment: All of its variables.
        log: What it says is appended to this file.
        inherited: A file descriptor that it gets.

    Raises:
        OSError: It cannot be started.
    """
    with log.open("ab") as output:
        # Through a shell that ends at once, so that it is nobody's zombie.
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *command],
            cwd=folder,
            env={**environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(inherited,),
            check=True,
        )
