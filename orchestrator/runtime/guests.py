"""Guests: files that travel into the script's own Python, which may be 2.7 and has nothing of ours installed.

Each folder in `orchestrator/guest` is one guest, and an entry of the script's PYTHONPATH; one that brings programs has
two folders, `python` and `bin`, as Caffe does. It is copied into the job's work folder: an engine's Python leaves its
bytecode there, and a pod's image does not have this package.
"""

import shutil
from pathlib import Path

from orchestrator.runtime.task import Task, Workspace
from orchestrator.store.parallel import as_mlctl_error

_HERE = Path(__file__).parents[1] / "guest"
USUAL = ("moxing", "metrics")  # guests of every job
PACKAGES = "packages"  # the guest of jobs that bring packages of their own
_PROGRAMS = ".bin"  # ending of what a script starts by its path
_MODES = {".py": 0o644, _PROGRAMS: 0o755}


def bring_guests(task: Task, workspace: Workspace) -> None:
    """Copy the job's guests to where its script finds them; those that are there are replaced.

    Raises:
        MlctlError: The disk is full, or cannot be written.
    """
    for name in task.guests:
        for source in sorted(path for path in (_HERE / name).rglob("*") if path.suffix in _MODES):
            target = workspace.guests / source.relative_to(_HERE)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                target.chmod(_MODES[source.suffix])
            except OSError as error:
                raise as_mlctl_error(error, f"cannot write {target}") from error


def guest_folder(name: str) -> Path:
    """Return the folder of this package that a guest comes from."""
    return _HERE / name


def python_path(task: Task, workspace: Workspace) -> list[str]:
    """Return the script's PYTHONPATH: the code, its parent, the guests.

    Before them comes a guest with programs: the original Caffe example takes the first entry with `caffe` in it, and
    that may be the code's folder. Nothing of the code is hidden by what such an entry holds.
    """
    code = workspace.job_dir / task.code_name
    programs = [workspace.guests / name / "python" for name in task.guests if (_HERE / name / "bin").is_dir()]
    others = [workspace.guests / name for name in task.guests if not (_HERE / name / "bin").is_dir()]
    return [str(path) for path in [*programs, code, workspace.job_dir, *others]]
