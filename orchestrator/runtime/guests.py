"""Guests: files that travel into the script's own Python, which may be 2.7 and has nothing of ours installed.

Each folder in `orchestrator/guest` is one guest, and an entry of the script's PYTHONPATH. It is copied into the job's
work folder: an engine's Python leaves its bytecode there, and a pod's image does not have this package.
"""

import shutil
from pathlib import Path

from orchestrator.runtime.task import Task, Workspace
from orchestrator.store.parallel import as_mlctl_error

_HERE = Path(__file__).parents[1] / "guest"


def bring_guests(task: Task, workspace: Workspace) -> None:
    """Copy the job's guests to where its script finds them; those that are there are replaced.

    Raises:
        MlctlError: The disk is full, or cannot be written.
    """
    for name in task.guests:
        for source in sorted((_HERE / name).rglob("*.py")):
            target = workspace.guests / source.relative_to(_HERE)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            except OSError as error:
                raise as_mlctl_error(error, f"cannot write {target}") from error


def guest_folders(task: Task, workspace: Workspace) -> list[str]:
    """Return the entries of PYTHONPATH that the job's guests are."""
    return [str(workspace.guests / name) for name in task.guests]
