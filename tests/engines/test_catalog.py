import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import orchestrator
from orchestrator.engines import get_engine, list_engines
from orchestrator.errors import NotFoundError, UsageError
from tests.engines.conftest import Workshop

VALID = {
    "name": "tiny",
    "framework": "Tiny",
    "version": "'1'",
    "description": "none",
    "python": "['3.11']",
    "images": "{cpu: a}",
}


def define(folder: Path, **changes: str | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    fields = {key: value for key, value in (VALID | changes).items() if value is not None}
    (folder / "engine.yaml").write_text("".join(f"{key}: {value}\n" for key, value in fields.items()))
    (folder / "requirements.txt").touch()


def test_the_engines_of_the_package_are_listed_by_name():
    names = [engine.name for engine in list_engines()]
    assert names == sorted(names)
    assert {"caffe-1.0", "mxnet-1.9", "pytorch-2", "scikit-learn-1", "tensorflow-1.15", "tensorflow-2"} <= set(names)
    assert get_engine("mxnet-1.9").version == "1.9.1"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("mxnet-1.8", "mxnet-1.9"),
        ("pytorch", "pytorch-2"),
        ("tensorflow-1.14", "tensorflow-1.15 or tensorflow-2"),
        ("tensorflow-2.4", "tensorflow-2 or tensorflow-1.15"),
        ("TensorFlow", "tensorflow-2 or tensorflow-1.15"),
        ("tensorfow-1.15", "tensorflow-1.15 or tensorflow-2"),
        ("cafe-1.0", "caffe-1.0"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(wrong: str, right: str):
    with pytest.raises(NotFoundError) as caught:
        get_engine(wrong)
    assert f"'{wrong}'; did you mean {right}?" in caught.value.message


def test_a_name_like_nothing_lists_all():
    with pytest.raises(NotFoundError, match=r"known: .*mxnet-1\.9, .*pytorch-2"):
        get_engine("zzzzzz")


@pytest.mark.parametrize("name", ["", ".", "..", "../images/mxnet-1.9", "mxnet-1.9/", "/etc"])
def test_a_path_is_not_a_name(name: str):
    with pytest.raises(NotFoundError):
        get_engine(name)


def test_a_folder_with_a_definition_is_enough(workshop: Workshop):
    define(workshop.engines / "tiny")
    (workshop.engines / "notes").mkdir()
    assert get_engine("tiny").requirements_path == workshop.engines / "tiny" / "requirements.txt"
    assert "tiny" in [engine.name for engine in list_engines()]


def test_an_engine_of_ones_own_hides_one_of_the_package(workshop: Workshop):
    define(workshop.engines / "mxnet-1.9", name="mxnet-1.9")
    assert get_engine("mxnet-1.9").framework == "Tiny"
    assert [engine.framework for engine in list_engines() if engine.name == "mxnet-1.9"] == ["Tiny"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "other"}, "names the engine 'other'"),
        ({"framework": None}, "framework"),
        ({"colour": "red"}, "colour"),
        ({"python": "[]"}, "python"),
        ({"python": "['three']"}, "python"),
        ({"python": "[3.11]"}, "python"),
        ({"images": "{}"}, "cpu"),
        ({"images": "{cpu: a, tpu: b}"}, "tpu"),
        ({"env": "{THREADS: 2}"}, "env"),
        ({"requirements": "missing.txt"}, "missing.txt"),
        ({"version": "'1"}, "valid"),
    ],
)
def test_an_invalid_definition_is_named_with_the_reason(workshop: Workshop, changes: dict, reason: str):
    define(workshop.engines / "tiny", **changes)
    for call in (list_engines, lambda: get_engine("tiny")):
        with pytest.raises(UsageError, match=reason) as caught:
            call()
        assert str(workshop.engines / "tiny" / "engine.yaml") in caught.value.message


@pytest.mark.parametrize("content", [b"", b"- a\n- b\n", b"\xff\xfe\x00", b"42", b"1: 2\n", b"a: b: c"])
def test_a_file_that_is_no_definition_is_named(workshop: Workshop, content: bytes):
    define(workshop.engines / "tiny")
    (workshop.engines / "tiny" / "engine.yaml").write_bytes(content)
    with pytest.raises(UsageError, match=r"tiny/engine\.yaml"):
        get_engine("tiny")


def test_an_installed_package_carries_its_engines(tmp_path: Path):
    package = Path(orchestrator.__file__).parent
    shutil.copytree(package, tmp_path / "orchestrator", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(package.parent / "images", tmp_path / "orchestrator" / "images")
    source = "from orchestrator.engines import get_engine; print(get_engine('mxnet-1.9').folder)"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    shown = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert shown.stdout.strip() == str(tmp_path / "orchestrator" / "images" / "mxnet-1.9"), shown.stderr
