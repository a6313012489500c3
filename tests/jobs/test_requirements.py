"""Jobs that bring packages in pip-requirements.txt: what of it is refused, and what a script then finds."""

from pathlib import Path

import pytest

from orchestrator.engines import get_engine
from orchestrator.errors import PreflightError
from orchestrator.jobs.requirements import requirements_of
from orchestrator.store.archive import snapshot_code
from tests.engines.conftest import make_wheel, take_from
from tests.jobs.conftest import Project


@pytest.fixture
def asking(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Give a project whose packages come from a folder; its engine has `alpha`."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for version in ("2.5", "2.6"):
        make_wheel(wheels, "alpha", version)
    make_wheel(wheels, "beta")
    take_from(wheels, monkeypatch)
    (tmp_path / "engines" / "plain-1" / "requirements.txt").write_text("alpha==2.5\n")
    return project


def ask(project: Project, *lines: str) -> None:
    (project.folder / "code" / "pip-requirements.txt").write_text("".join(f"{line}\n" for line in lines))


def test_a_script_finds_them_and_the_log_says_what_they_are(asking: Project) -> None:
    asking.script("import alpha, beta, shutil; print(alpha.version, beta.version, bool(shutil.which('run-beta')))")
    ask(asking, "# needed", "beta  # for everything", "alpha>=2")
    view = asking.run()
    assert view.status.state == "SUCCEEDED", asking.log(view)
    assert asking.log(view) == b"mlctl: pip-requirements.txt adds beta==1.0\n2.5 1.0 True\n"
    plan = asking.client.jobs.plan(asking.spec)
    assert plan.requirements


def test_a_file_that_asks_for_nothing_is_none(asking: Project) -> None:
    ask(asking, "", "# alpha")
    assert asking.log(asking.run()) == b"hello\n"


def test_all_workers_find_them(asking: Project) -> None:
    asking.script("import beta; print(beta.version)")
    ask(asking, "beta")
    view = asking.run(resources={"nodes": 2})
    logs = [asking.log(view, worker=worker) for worker in (0, 1)]
    assert logs == [b"mlctl: pip-requirements.txt adds beta==1.0\n1.0\n"] * 2


def test_what_cannot_be_had_is_refused_before_anything_is_stored(asking: Project, tmp_path: Path) -> None:
    ask(asking, "nowhere")
    with pytest.raises(PreflightError, match="nowhere was not found"):  # the engine is built, and nothing else done
        asking.create()
    with pytest.raises(PreflightError, match="nowhere was not found"):
        asking.create()
    assert not asking.client.jobs.list()
    assert not list((tmp_path / "home").rglob("code/*.tar.gz"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("alpha>=2.6", "line 2: alpha>=2.6 does not fit engine plain-1, which has 2.5"),
        ("Alpha[extra] == 2.4 --hash=sha256:00", "which has 2.5"),
        ("two words", "line 2: two words is not a requirement"),
        ("==1", "is not a requirement"),
        ("-e .", "cannot be installed to be edited"),
        ("./absent-1.0-py3-none-any.whl", "is not in the code"),
    ],
)
def test_a_wrong_line_is_named_without_any_index(asking: Project, line: str, reason: str) -> None:
    ask(asking, "beta", line)
    code = snapshot_code(asking.folder / "code")
    with pytest.raises(PreflightError) as caught:
        requirements_of(code, get_engine("plain-1"))
    assert reason in caught.value.message and caught.value.hint


@pytest.mark.parametrize(
    "line",
    [
        "alpha<2.6",
        "alpha>=3; python_version < '3'",
        "beta @ https://host/beta.whl",
        "-r more.txt",
        "b \\\n  >= 1",
        "./a",
    ],
)
def test_other_lines_are_the_resolvers(asking: Project, line: str) -> None:
    ask(asking, line)
    assert requirements_of(snapshot_code(asking.folder / "code"), get_engine("plain-1"))


def test_another_image_may_have_other_packages(asking: Project) -> None:
    ask(asking, "alpha>=2.6")
    assert requirements_of(snapshot_code(asking.folder / "code"), None)


def test_the_hash_covers_files_that_are_named(asking: Project) -> None:
    def hashes() -> list[str]:
        found = []
        for text in ("1", "2"):
            (asking.folder / "code" / "other.txt").write_text(text)
            wanted = requirements_of(snapshot_code(asking.folder / "code"), None)
            found.append(wanted.sha256 if wanted else "")
        return found

    ask(asking, "beta")
    assert len(set(hashes())) == 1
    ask(asking, "-r other.txt")
    assert len(set(hashes())) == 2


def test_a_file_that_is_no_text_is_refused(asking: Project) -> None:
    (asking.folder / "code" / "pip-requirements.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PreflightError, match="is not UTF-8 text"):
        asking.create()
