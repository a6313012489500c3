"""mlctl doctor: what it checks, and that it fails when something is wrong."""

import json
import re
import sys

import pytest

from orchestrator import doctor
from orchestrator.doctor import Level
from orchestrator.engines import list_engines
from orchestrator.store.file import FileStore

ENGINES = {f"engine {engine.name}" for engine in list_engines()}
SUBJECTS = {"Python", "uv", "home", "cache", "store", "GPUs", *ENGINES}


def test_all_is_well(mlctl, home):
    done = mlctl("doctor")
    assert done.returncode == 0, done.stdout
    assert all(line.split()[0] in ("ok", "warn") for line in done.stdout.splitlines())
    assert len(done.stdout.splitlines()) == len(SUBJECTS)
    assert "conditional writes hold" in done.stdout
    assert not [path for path in (home / "store").rglob("*") if "doctor" in path.name and path.is_file()]


def test_as_a_document(mlctl):
    findings = json.loads(mlctl("doctor", "-o", "json").stdout)
    assert {finding["subject"] for finding in findings} == SUBJECTS
    assert all(finding.keys() == {"level", "subject", "message", "hint"} for finding in findings)


def test_what_fails_is_named_with_what_to_do_and_the_rest_is_checked(mlctl, monkeypatch):
    monkeypatch.setenv("MLCTL_HOME", "/proc/nowhere")
    done = mlctl("doctor")
    assert done.returncode == 3
    failed = [line for line in done.stdout.splitlines() if line.startswith("fail")]
    assert [line.split()[1] for line in failed] == ["home", "store"]
    assert "export MLCTL_HOME=" in failed[0]
    assert "GPUs" in done.stdout
    assert done.stderr.startswith("error: 2 checks failed\n")
    assert mlctl("doctor", "-o", "name").stdout == "home\nstore\n"


def test_an_unknown_context(mlctl):
    done = mlctl("doctor", "-c", "nope")
    assert done.returncode == 3
    assert "there is no context 'nope'" in done.stdout


def test_a_broken_engine(mlctl, monkeypatch, tmp_path):
    (tmp_path / "engines" / "mine").mkdir(parents=True)
    (tmp_path / "engines" / "mine" / "engine.yaml").write_text("name: 3")
    monkeypatch.setenv("MLCTL_ENGINES", str(tmp_path / "engines"))
    done = mlctl("doctor")
    assert done.returncode == 3
    assert "is not a valid engine" in done.stdout


def test_an_engine_whose_python_is_not_here(mlctl, monkeypatch, tmp_path):
    for name, version in (("here", f"{sys.version_info.major}.{sys.version_info.minor}"), ("away", "3.99")):
        folder = tmp_path / "engines" / name
        folder.mkdir(parents=True)
        (folder / "requirements.txt").write_text("")
        definition = {"name": name, "framework": "X", "version": "1", "description": "X.", "images": {"cpu": "x"}}
        (folder / "engine.yaml").write_text(json.dumps({**definition, "python": [version]}))
    monkeypatch.setenv("MLCTL_ENGINES", str(tmp_path / "engines"))
    shown = mlctl("doctor").stdout
    assert re.search(r"^ok +engine here +built at its first job; now: mlctl engine build here$", shown, re.MULTILINE)
    assert re.search(
        r"^ok +engine away +built at its first job, with a Python 3\.99 that is downloaded then;", shown, re.MULTILINE
    )


class Forgetful(FileStore):
    """A store that takes every conditional write, as some servers do."""

    def put_if_absent(self, key, data):
        return self.put(key, data)

    def put_if_unchanged(self, key, data, etag):
        return self.put(key, data)


class HalfForgetful(FileStore):
    def put_if_unchanged(self, key, data, etag):
        return self.put(key, data)


@pytest.mark.parametrize(
    "kind, what", [(Forgetful, "created an object twice"), (HalfForgetful, "replaced an object that had changed")]
)
def test_a_store_without_conditional_writes(kind, what, monkeypatch, tmp_path):
    monkeypatch.setattr("orchestrator.doctor.store.open_store", lambda url, context: kind(tmp_path / "store"))
    finding = next(finding for finding in doctor.findings(None) if finding.subject == "store")
    assert finding.level is Level.FAIL
    assert what in finding.message and "use another store" in finding.hint


@pytest.mark.parametrize(
    "free, level", [(10**11, Level.OK), (10**9, Level.WARN), (10**8, Level.WARN), (10**7, Level.FAIL)]
)
def test_disk_space(free, level, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": free}))
    home = next(finding for finding in doctor.findings(None) if finding.subject == "home")
    assert home.level is level
    assert bool(home.hint) == (level is not Level.OK)
