import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from orchestrator.engines import Engine, EnvironmentState, ensure_environment, environment_state
from orchestrator.engines.environment import MARKER, environment_path
from tests.engines.conftest import PYTHON, Workshop


class Recorder:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.total: int | None = None
        self.done = 0

    def note(self, message: str) -> None:
        self.notes.append(message)

    def bar(self, label: str, *, total: int | None, unit: str) -> nullcontext["Recorder"]:
        self.total = total
        return nullcontext(self)

    def advance(self, amount: int) -> None:
        self.done += amount


def run(python: Path, source: str) -> str:
    return subprocess.run([python, "-c", source], capture_output=True, text=True, check=True).stdout.strip()


def test_an_environment_has_what_the_engine_locks(workshop: Workshop):
    engine = workshop.engine(workshop.wheel("alpha", "2.5"), workshop.wheel("beta"))
    workshop.wheel("alpha", "2.6")
    before = environment_state(engine)
    assert before == EnvironmentState(ready=False, path=str(environment_path(engine)))
    reporter = Recorder()
    python = ensure_environment(engine, reporter=reporter)
    assert run(python, "import alpha, beta; print(alpha.version)") == "2.5"
    assert reporter.total == reporter.done == 2
    assert "building the environment of engine tiny" in reporter.notes[0]
    assert "engine tiny is ready" in reporter.notes[-1]
    after = environment_state(engine)
    assert after.ready
    assert after.path == before.path
    assert after.python == PYTHON == run(python, "import sys; print('%d.%d' % sys.version_info[:2])")
    assert after.size >= sum(path.lstat().st_size for path in Path(after.path).rglob("*.py"))


def test_a_ready_environment_is_given_at_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch):
    engine = workshop.engine(workshop.wheel("alpha"))
    python = ensure_environment(engine)

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    reporter = Recorder()
    assert ensure_environment(engine, reporter=reporter) == python
    assert reporter.notes == []


def test_an_engine_without_requirements_is_a_bare_python(workshop: Workshop):
    assert run(ensure_environment(workshop.engine()), "print(1 + 1)") == "2"


def test_the_hash_covers_what_the_environment_is_built_from(workshop: Workshop):
    engine = workshop.engine("alpha==1.0")
    path = environment_path(engine)
    assert path.name.startswith("tiny-")
    assert path.parent.name == "engines"
    assert environment_path(msgspec.structs.replace(engine, description="new", env={"A": "b"}, version="2")) == path
    assert environment_path(msgspec.structs.replace(engine, python=("3.10",))) != path
    local = msgspec.structs.replace(engine.local, torch_backend="cpu")
    assert environment_path(msgspec.structs.replace(engine, local=local)) != path
    assert environment_path(workshop.engine("alpha==1.1")) != path
    assert environment_path(workshop.engine("alpha==1.0")) == path


def damage_python(path: Path) -> None:
    (path / "bin" / "python").unlink()


def damage_interpreter(path: Path) -> None:
    (path / "bin" / "python").unlink()
    (path / "bin" / "python").symlink_to("/nowhere/python")


def remove_marker(path: Path) -> None:
    (path / MARKER).unlink()


def tear_marker(path: Path) -> None:
    (path / MARKER).write_bytes(b'{"python": ')


@pytest.mark.parametrize("damage", [damage_python, damage_interpreter, remove_marker, tear_marker])
def test_a_broken_or_unfinished_environment_is_built_anew(workshop: Workshop, damage):
    engine = workshop.engine(workshop.wheel("alpha"))
    path = environment_path(engine)
    ensure_environment(engine)
    (path / "rest-of-another-build").touch()
    damage(path)
    assert not environment_state(engine).ready
    assert run(ensure_environment(engine), "import alpha; print(alpha.version)") == "1.0"
    assert not (path / "rest-of-another-build").exists()


def test_a_ready_environment_works_on_a_read_only_disk(workshop: Workshop, small_disk, monkeypatch):
    disk = small_disk("size=20m")
    monkeypatch.setenv("MLCTL_CACHE", str(disk / "cache"))
    engine = workshop.engine(workshop.wheel("alpha"))
    ensure_environment(engine)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert run(ensure_environment(engine), "import alpha; print(alpha.version)") == "1.0"


def test_uv_settings_of_the_working_directory_do_not_count(workshop: Workshop, tmp_path: Path, monkeypatch):
    project = tmp_path / "project"
    project.mkdir()
    (project / "uv.toml").write_text("this is not TOML\n")
    (project / ".python-version").write_text("2.6\n")
    monkeypatch.chdir(project)
    assert ensure_environment(workshop.engine(workshop.wheel("alpha"))).exists()


def test_the_cache_can_be_moved_away_and_back(workshop: Workshop, tmp_path: Path):
    engine: Engine = workshop.engine(workshop.wheel("alpha"))
    ensure_environment(engine)
    shutil.move(tmp_path / "cache", tmp_path / "elsewhere")
    assert not environment_state(engine).ready
    shutil.move(tmp_path / "elsewhere", tmp_path / "cache")
    assert environment_state(engine).ready


@pytest.mark.parametrize("told", [True, False], ids=["PYENV_ROOT", "shims on the PATH"])
def test_pythons_of_pyenv_are_found_though_not_on_the_path(workshop: Workshop, tmp_path: Path, monkeypatch, told):
    for patch, target in (("9", "/nowhere/python"), ("10", sys.executable), ("11t", "/nowhere/python")):
        python = tmp_path / "pyenv" / "versions" / f"3.97.{patch}" / "bin" / "python3.97"
        python.parent.mkdir(parents=True)
        python.symlink_to(target)
    shim = tmp_path / "pyenv" / "shims" / "python3.97"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.97: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    if told:
        monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    else:
        monkeypatch.setenv("PATH", str(shim.parent), prepend=os.pathsep)
    engine = workshop.engine(workshop.wheel("alpha"), python="3.98', '3.97")
    assert run(ensure_environment(engine), "import alpha; print(alpha.version)") == "1.0"
    assert environment_state(engine).python == "3.97"
