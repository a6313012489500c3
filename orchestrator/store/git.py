"""Which git commit a folder is at. Never needed, so never an error."""

import os
import subprocess
from pathlib import Path

TIMEOUT = 5.0  # seconds; a huge or remote work tree goes without


def git_state(folder: Path) -> tuple[str | None, bool]:
    """Return the commit of the work tree around a folder, and whether the folder differs from it.

    Untracked files count as a difference, ignored ones do not. The commit is None outside of a work
    tree, before the first commit, and where git is missing, refuses or takes too long.
    """
    command = ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch", "--", "."]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # do not disturb the user's own git
    try:
        result = subprocess.run(command, capture_output=True, timeout=TIMEOUT, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None, False
    if result.returncode:
        return None, False
    commit = None
    dirty = False
    for line in result.stdout.splitlines():
        if line.startswith(b"# branch.oid "):
            commit = line.removeprefix(b"# branch.oid ").decode()
        elif not line.startswith(b"#"):
            dirty = True
    return (None if commit == "(initial)" else commit), dirty
