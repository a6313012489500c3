"""A job's own packages over an engine's environment, installed for real by uv from wheels on disk."""

import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest

from orchestrator.engines import Engine, ensure_environment
from orchestrator.engines.extend import ensure_local_layer, local_layer, rehearse_local_layer
from orchestrator.engines.layer import is_layer_ready
from orchestrator.engines.requirements import FILE, Requirements, RequirementsError, installed
from tests.engines.conftest import Workshop
from tests.engines.test_environment import Recorder
from tests.guest.pythons import GUESTS

SECONDS = 60


def ask(workshop: Workshop, *lines: str) -> Requirements:
    """Ask for packages, as a job's code does."""
    folder = workshop.control.parent / "code"
    folder.mkdir(exist_ok=True)
    text = "".join(f"{line}\n" for line in lines)
    (folder / FILE).write_text(text)
    return Requirements(folder=folder, sha256=hashlib.sha256(text.encode()).hexdigest())


def seen_by_a_script(engine: Engine, layer: Path, source: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(GUESTS / "packages"), "MLCTL_PACKAGES": str(layer)}
    command = [ensure_environment(engine), "-c", source]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_packages_are_added_and_the_engine_stays_as_it_is(workshop: Workshop):
    engine = workshop.engine(workshop.wheel("alpha", "2.5"))
    before = files(ensure_environment(engine).parents[1])
    workshop.wheel("alpha", "2.6")
    reporter = Recorder()
    layer = ensure_local_layer(engine, ask(workshop, workshop.wheel("beta"), "alpha"), reporter=reporter)
    assert installed(layer) == "beta==1.0" and reporter.notes[-1] == "installed beta==1.0"
    where = seen_by_a_script(engine, layer, "import alpha, beta; print(alpha.version, beta.__file__)").split()
    assert where[0] == "2.5" and where[1].startswith(str(layer))
    assert files(ensure_environment(engine).parents[1]) == before
    assert not list(layer.rglob("alpha*"))


def test_modules_of_the_engine_come_first_and_pth_files_count(workshop: Workshop):
    engine = workshop.engine(workshop.wheel("alpha", "2.5"))
    layer = ensure_local_layer(engine, ask(workshop, workshop.wheel("beta")))
    site = next(layer.glob("lib/python*/site-packages"))
    (site / "alpha").mkdir()
    (site / "alpha" / "__init__.py").write_text("version = 'hidden'")
    (site / "more.pth").write_text(f"{workshop.control}\n")
    (workshop.control / "by_pth.py").write_text("")
    assert seen_by_a_script(engine, layer, "import by_pth, alpha; print(alpha.version)") == "2.5"


def test_the_same_is_installed_once(workshop: Workshop):
    engine = workshop.engine(workshop.wheel("alpha"))
    layer = ensure_local_layer(engine, ask(workshop, workshop.wheel("beta")))
    reporter = Recorder()
    assert ensure_local_layer(engine, ask(workshop, "beta==1.0"), reporter=reporter) == layer
    assert reporter.notes == []
    other = workshop.engine(workshop.wheel("alpha"), workshop.wheel("gamma"))
    assert local_layer(other, ask(workshop, "beta==1.0")) != layer != local_layer(engine, ask(workshop, "beta"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("alpha>=2.6", "alpha==2.5"),
        ("needy", "alpha==2.5"),
        ("nowhere", "nowhere was not found"),
        ("beta==7", "no version of beta==7"),
        ("beta beta", "beta beta"),
        ("-r absent.txt", "absent.txt"),
    ],
)
def test_what_cannot_be_had_is_refused_in_the_resolvers_words(workshop: Workshop, line: str, reason: str):
    engine = workshop.engine(workshop.wheel("alpha", "2.5"))
    workshop.wheel("alpha", "2.6")
    workshop.wheel("beta")
    workshop.wheel("needy", requires="alpha>=2.6")
    wanted = ask(workshop, line)
    ensure_environment(engine)
    for attempt in (rehearse_local_layer, ensure_local_layer):
        with pytest.raises(RequirementsError) as caught:
            attempt(engine, wanted)
        assert reason in caught.value.message and str(wanted.path) in caught.value.message
        assert caught.value.hint and caught.value.exit_code == 3
    assert not is_layer_ready(local_layer(engine, wanted)) and not local_layer(engine, wanted).exists()


def test_what_the_engine_has_under_another_name_is_not_installed_again(workshop: Workshop):
    engine = workshop.engine(workshop.wheel("alpha_cpu", "2.5"), more="provides: [alpha]\n")
    engine = msgspec.structs.replace(engine, version="2.5")
    workshop.wheel("alpha", "2.5")
    workshop.wheel("needy", requires="alpha>=2")
    assert installed(ensure_local_layer(engine, ask(workshop, "needy"))) == "needy==1.0"
    workshop.wheel("alpha", "2.6")
    with pytest.raises(RequirementsError, match=r"alpha==2\.5"):
        ensure_local_layer(engine, ask(workshop, "alpha>=2.6"))


def test_a_rehearsal_installs_nothing(workshop: Workshop):
    engine = workshop.engine()
    ensure_environment(engine)
    wanted = ask(workshop, workshop.wheel("beta"))
    rehearse_local_layer(engine, wanted)
    assert not local_layer(engine, wanted).exists()


def test_wheels_beside_the_file_are_found(workshop: Workshop):
    workshop.wheel("beta")
    wanted = ask(workshop, "./beta-1.0-py2.py3-none-any.whl")
    workshop.wheels.joinpath("beta-1.0-py2.py3-none-any.whl").rename(wanted.folder / "beta-1.0-py2.py3-none-any.whl")
    assert "beta==1.0" in installed(ensure_local_layer(workshop.engine(), wanted))


def test_the_index_cannot_be_reached(workshop: Workshop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(RequirementsError, match=r"http://127\.0\.0\.1:9/some-package/") as caught:
        ensure_local_layer(workshop.engine(), ask(workshop, "some-package"))
    assert "PIP_INDEX_URL" in caught.value.hint


def test_of_two_processes_one_installs(workshop: Workshop):
    engine = workshop.engine()
    ensure_environment(engine)
    wanted = ask(workshop, workshop.slow_source())
    source = f"""
        from contextlib import nullcontext
        from pathlib import Path
        from orchestrator.engines import get_engine
        from orchestrator.engines.extend import ensure_local_layer
        from orchestrator.engines.requirements import Requirements
        class Printer:
            def note(self, message): print(message, flush=True)
            def bar(self, label, *, total, unit): return nullcontext(self)
            def advance(self, amount): pass
        wanted = Requirements(folder=Path({str(wanted.folder)!r}), sha256={wanted.sha256!r})
        print(ensure_local_layer(get_engine("tiny"), wanted, reporter=Printer()), flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(source)]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    workshop.builder_pid()
    second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert second.stdout is not None
    assert "another process is building" in second.stdout.readline()
    (workshop.control / "go").touch()
    for process in (first, second):
        out, _ = process.communicate(timeout=SECONDS)
        assert out.splitlines()[-1] == str(local_layer(engine, wanted))
    assert len(list(workshop.control.glob("build-*"))) == 1
