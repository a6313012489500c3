"""Packages that a model's service needs and its engine lacks: found, refused, installed for real by uv."""

import json

import pytest

from orchestrator.engines import get_engine
from orchestrator.engines.requirements import FILE, RequirementsError
from orchestrator.errors import NotFoundError, PreflightError
from orchestrator.models.packages import check_packages, dependencies_of, packages_of, write_requirements
from orchestrator.models.record import Lineage, ModelVersion
from orchestrator.store.manifest import Entry, manifest_of
from tests.engines.conftest import make_wheel, take_from
from tests.models.packages import below
from tests.models.test_jobs import WRITE
from tests.store.trees import make_tree

WHEEL = "beta-1.0-py2.py3-none-any.whl"
SERVICE = """
import beta
from model_service.model_service import SingleNodeService

class Echo(SingleNodeService):
    def describe(self):
        return {"inputs": [{"name": beta.version}], "outputs": []}
"""


def asking(*packages, installer="pip"):
    return {"dependencies": [{"installer": installer, "packages": list(packages)}]}


def beta(version="", restraint=""):
    return {"package_name": "beta", "package_version": version, "restraint": restraint}


def package(**config):
    text = json.dumps({"model_algorithm": "echo", "model_type": "Custom"} | config)
    return below("model", {"config.json": text, "customize_service.py": SERVICE})


def version(config, requirements="", paths=()):
    manifest = manifest_of(Entry(path=path, size=1, sha256="0" * 64) for path in paths)
    lineage = Lineage(job="demo/V0001", requirements=requirements)
    return ModelVersion(name="digits", number=1, config=config, lineage=lineage, manifest=manifest)


@pytest.fixture
def wheels(project, tmp_path, monkeypatch):
    """Give the one folder that packages come from; it has beta, and the engine has alpha."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    make_wheel(folder, "alpha", "2.5")
    make_wheel(folder, "beta")
    take_from(folder, monkeypatch)
    (tmp_path / "engines" / "plain-1" / "requirements.txt").write_text("alpha==2.5\n")
    return folder


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (beta(), "beta"),
        ({"package_name": "beta"}, "beta"),
        (beta("1.0", "EXACT"), "beta==1.0"),
        (beta("1.0"), "beta==1.0"),
        (beta("1.0", "ATLEAST"), "beta>=1.0"),
        (beta("1.0", "ATMOST"), "beta<=1.0"),
        ({"package_name": "./x-1-py3-none-any.whl"}, "x-1-py3-none-any.whl"),
    ],
)
def test_dependencies_become_lines_of_pip(one, line):
    assert [found.text for found in dependencies_of(asking(one))] == [line]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"dependencies": {}}, "is not a list"),
        ({"dependencies": ["beta"]}, 'without a list of "packages"'),
        (asking(beta(), installer="conda"), "only pip is known"),
        (asking({"package_version": "1"}), 'without "package_name"'),
        (asking("beta"), 'without "package_name"'),
        (asking(beta("1", "LEAST")), "known are EXACT, ATLEAST, ATMOST"),
        (asking(beta("one", "EXACT")), "is not a requirement"),
        (asking({"package_name": "-r /etc/passwd"}), "neither a package nor a wheel"),
        (asking({"package_name": WHEEL}), f"there is no model/{WHEEL}"),
        (asking({"package_name": "alpha", "package_version": "3", "restraint": "ATLEAST"}), "which has 2.5"),
    ],
)
@pytest.mark.usefixtures("wheels")
def test_what_cannot_be_had_is_told_without_any_index(config, reason):
    with pytest.raises(RequirementsError) as caught:
        check_packages(version(config), get_engine("plain-1"))
    assert reason in caught.value.message and caught.value.hint


def test_nothing_is_asked_for_twice(project, tmp_path):
    found = version(asking(beta(), {"package_name": "gamma"}), "beta  # both\nalpha>=2\n")
    assert [line.text for line in packages_of(found)] == ["beta", "alpha>=2", "gamma"]
    assert packages_of(version({})) == []
    store = project.client.store
    assert write_requirements(store, version({}), tmp_path, tmp_path / "none") is None
    made = write_requirements(store, found, tmp_path, tmp_path / "some")
    assert made and (tmp_path / "some" / FILE).read_text() == "beta  # both\nalpha>=2\n\ngamma" == made.text


def test_the_hash_covers_archives_and_not_where_they_are(project, tmp_path):
    def sha256(folder, content):
        manifest = manifest_of([Entry(path=WHEEL, size=1, sha256=content * 64)])
        found = version(asking({"package_name": WHEEL}))
        found = ModelVersion(name="digits", number=1, config=found.config, manifest=manifest)
        made = write_requirements(project.client.store, found, tmp_path / folder, tmp_path / folder / content)
        assert str(tmp_path / folder / WHEEL) in made.text
        return made.sha256

    assert sha256("a", "1") == sha256("b", "1") != sha256("a", "2")


@pytest.mark.usefixtures("wheels")
def test_a_package_of_config_json_is_there_when_the_model_is_loaded(project, tmp_path):
    models = project.client.models
    models.import_(str(make_tree(tmp_path / "bare", package())), "echo")
    with pytest.raises(PreflightError, match=r"No module named 'beta'.*nor does config\.json name it"):
        models.load("echo", engine="plain-1")
    models.import_(str(make_tree(tmp_path / "asking", package(**asking(beta("1.0", "ATLEAST"))))), "echo")
    assert not [finding for finding in models.lint("echo") if finding.level == "error"]
    assert models.load("echo", engine="plain-1").inputs == [{"name": "1.0"}]
    models.import_(str(make_tree(tmp_path / "wrong", package(**asking(beta("7", "EXACT"))))), "echo")
    with pytest.raises(
        RequirementsError, match=r"the packages of echo/V0003 cannot be installed for plain-1: .*beta==7"
    ):
        models.load("echo", engine="plain-1")


@pytest.mark.usefixtures("wheels")
def test_what_contradicts_the_engine_is_told_by_lint(project, tmp_path):
    models = project.client.models
    models.import_(
        str(make_tree(tmp_path / "old", package(**asking({"package_name": "alpha", "package_version": "1"})))), "echo"
    )
    assert [found for found in models.lint("echo") if "alpha" in found.message] == []  # its engine is not known
    (told,) = models.lint("echo", engine="plain-1")
    assert told == ("warn", "config.json", "alpha==1 does not fit engine plain-1, which has 2.5")
    with pytest.raises(NotFoundError, match="there is no engine"):
        models.lint("echo", engine="nothing")


def test_a_wheel_beside_the_model_is_installed(project, wheels, tmp_path):
    folder = make_tree(tmp_path / "own", package(**asking({"package_name": WHEEL})))
    (wheels / WHEEL).rename(folder / "model" / WHEEL)
    project.client.models.import_(str(folder), "echo")
    assert project.client.models.load("echo", engine="plain-1").inputs == [{"name": "1.0"}]


def test_what_the_job_asked_for_the_service_gets(project, wheels):
    project.script(WRITE)
    code = project.folder / "code"
    (code / "own").mkdir()
    (wheels / WHEEL).rename(code / "own" / WHEEL)
    (code / FILE).write_text(f"./own/{WHEEL}\n")
    view = project.run(model={"name": "echo"}, env={"FILES": json.dumps(package())})
    assert "its model is echo/V0001" in view.status.message
    models = project.client.models
    found = models.get("echo")
    assert found.lineage.requirements == f"./own/{WHEEL}\n"
    assert models.load("echo").inputs == [{"name": "1.0"}]
    assert project.client.register("demo", "v1").lineage == found.lineage
    project.client.store.delete([f"code/{found.lineage.code_sha256}.tar.gz"])
    with pytest.raises(RequirementsError, match="names files of its code, which is not in"):
        models.load("echo")
