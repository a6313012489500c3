"""How guests travel: what is copied, and where the script finds it."""

import os
from pathlib import Path

from orchestrator.runtime.guests import bring_guests, python_path
from orchestrator.runtime.task import Task, Workspace
from tests.guest.pythons import GUESTS


def task(*guests: str) -> Task:
    place = {"code_key": "none", "boot_file": "main.py", "output_store": "file:///s", "output_prefix": "out/"}
    return Task(
        job="demo", version="V0001", store="file:///s", prefix="p/", code_name="caffe_mnist", guests=guests, **place
    )


def test_programs_can_be_started_and_modules_are_whole(tmp_path: Path):
    workspace = Workspace(tmp_path)
    for _ in range(2):  # a second pod finds those of the first
        bring_guests(task("caffe", "compat"), workspace)
    programs = sorted(path.name for path in (workspace.guests / "caffe" / "bin").iterdir())
    assert programs == ["caffe.bin", "convert_mnist_data.bin"]
    assert all(os.access(workspace.guests / "caffe" / "bin" / name, os.X_OK) for name in programs)
    sent = {path.relative_to(GUESTS) for name in ("caffe", "compat") for path in (GUESTS / name).rglob("*.py")}
    assert sent <= {path.relative_to(workspace.guests) for path in workspace.guests.rglob("*.py")}
    assert not (workspace.guests / "moxing").exists()


def test_caffe_is_found_as_the_original_script_looks_for_it(tmp_path: Path):
    """It takes the first entry with `caffe` in it, without the last seven letters; here the code's folder is one."""
    workspace = Workspace(tmp_path)
    path = python_path(task("moxing", "compat", "caffe"), workspace)
    first = next(entry for entry in path if "caffe" in entry.removeprefix(str(tmp_path)))
    bring_guests(task("caffe"), workspace)
    assert Path(first[:-7], "bin", "caffe.bin").exists()
    code = workspace.job_dir / "caffe_mnist"
    guests = [str(workspace.guests / name) for name in ("moxing", "compat")]
    assert path[1:] == [str(code), str(workspace.job_dir), *guests]


def test_without_guests_there_is_the_code(tmp_path: Path):
    workspace = Workspace(tmp_path)
    assert python_path(task(), workspace) == [str(workspace.job_dir / "caffe_mnist"), str(workspace.job_dir)]
