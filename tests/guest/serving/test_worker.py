"""The process that has a model, in several Pythons: what it loads, what it answers, and what it never dies of."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.guest.pythons import GUESTS, python, pythons
from tests.store.trees import make_tree
from tests.waiting import SECONDS

sys.path.append(str(GUESTS / "serving"))

from mlctl_model import wire
from mlctl_model.package import PackageError, model_path

CONFIG = json.dumps({"model_algorithm": "echo", "model_type": "Custom"})
ECHO = """
import log
from model_service.model_service import SingleNodeService

logger = log.getLogger(__name__)

class Echo(SingleNodeService):
    def _preprocess(self, data):
        if isinstance(data, dict) and "fail" in data:
            raise ValueError(data["fail"])
        return data

    def _inference(self, data):
        logger.info("asked")
        print("this goes to the log, and disturbs nobody")
        return data

    def _postprocess(self, data):
        if "numbers" in data:
            return {"sum": sum(data["numbers"]), "missing": data["missing"]}
        return {field: {name: len(file.read()) for name, file in each.items()} for field, each in data.items()}
"""
VERSIONS = pythons("3.6", "3.8", "3.11")
Ask = Callable[..., Any]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "model", {"config.json": CONFIG, "customize_service.py": ECHO})


def load(folder: Path, version: str = VERSIONS[-1]) -> "subprocess.CompletedProcess[str]":
    """Load a package and let it go."""
    command = [python(version), "-m", "mlctl_model.worker", "--folder", folder, "--name", "echo"]
    environment = {"PYTHONPATH": str(GUESTS / "serving"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Ask]]:
    """Give a function that starts a worker, and returns one that asks it."""
    started: list[subprocess.Popen[bytes]] = []

    def start(folder: Path, version: str = VERSIONS[-1]) -> Ask:
        path = tmp_path / "socket"
        command = [python(version), "-m", "mlctl_model.worker", "--folder", folder, "--name", "echo", "--socket", path]
        environment = {"PYTHONPATH": str(GUESTS / "serving"), "PYTHONDONTWRITEBYTECODE": "1"}
        worker = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(worker)
        assert worker.stdout
        assert json.loads(worker.stdout.readline())["service"] == "Echo"

        def ask(**request: Any) -> Any:
            if "json" in request:
                request["json"] = json.dumps(request["json"]).encode()
            deadline = time.monotonic() + SECONDS
            with socket.socket(socket.AF_UNIX) as connection:
                while True:
                    try:
                        connection.connect(str(path))
                        break
                    except OSError:
                        assert time.monotonic() < deadline
                        time.sleep(0.02)
                wire.send(connection, request)
                with connection.makefile("rb") as stream:
                    answer = wire.receive(stream)
            if isinstance(answer.get("value"), memoryview):
                answer["value"] = json.loads(bytes(answer["value"]))
            return answer

        return ask

    yield start
    for worker in started:
        worker.kill()
        worker.communicate()


@pytest.mark.parametrize("version", VERSIONS)
def test_files_and_json_go_through_the_service(serve, package, version):
    ask = serve(package, version)
    answer = ask(do="infer", files={"images": {"a.png": b"1234", "b.png": bytes(100_000)}})
    assert answer == {"value": {"images": {"a.png": 4, "b.png": 100_000}}}
    assert ask(do="infer", json={"numbers": [1, 2.5], "missing": None}) == {"value": {"sum": 3.5, "missing": None}}


def test_what_a_service_raises_ends_one_answer_only(serve, package):
    ask = serve(package)
    assert ask(do="infer", json={"fail": "not like this"}) == {
        "error": {"kind": "ValueError", "message": "not like this", "step": "_preprocess"}
    }
    assert "'missing', which is not there" in ask(do="infer", json={"numbers": [1]})["error"]["message"]
    assert "only asked through its service" in ask(do="predict", inputs={})["error"]["message"]
    assert ask(do="infer", json={"numbers": [1], "missing": 0})["value"]["sum"] == 1


def test_a_client_that_goes_in_the_middle_is_forgotten(serve, package, tmp_path):
    ask = serve(package)
    with socket.socket(socket.AF_UNIX) as connection:
        ask(do="infer", json={"numbers": [], "missing": 0})
        connection.connect(str(tmp_path / "socket"))
        connection.sendall(wire.HEAD.pack(100, 0) + b"half")
    assert ask(do="infer", json={"numbers": [1], "missing": 0})["value"]["sum"] == 1


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"config.json": "{"}, "config.json is not valid JSON"),
        ({"config.json": "[]"}, "config.json is not an object"),
        ({"customize_service.py": "x = 1"}, "must have exactly one service class; it has none"),
        ({"customize_service.py": ECHO + ECHO.replace("Echo", "Other")}, "it has Echo, Other"),
        ({"customize_service.py": "import nowhere"}, "cannot be imported: No module named 'nowhere'"),
        ({"customize_service.py": "def"}, "customize_service.py, line 1"),
        ({"customize_service.py": "raise ValueError('own')"}, "ValueError: own"),
    ],
)
def test_what_cannot_be_loaded_says_why(package, files, message):
    done = load(make_tree(package, files))
    assert done.returncode == 3
    assert message in json.loads(done.stdout)["error"]


def test_a_mark_of_bytes_at_the_begin_of_config_json_is_passed_over(package):
    path = package / "config.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    for version in VERSIONS:
        assert load(package, version).returncode == 0


def test_a_missing_service_needs_a_default(package):
    (package / "customize_service.py").unlink()
    assert "there is no default for model_type 'Custom'" in load(package).stdout
    (package / "config.json").unlink()
    assert "config.json is missing" in load(package).stdout


@pytest.mark.parametrize(
    ("kind", "files", "one"),
    [
        ("Scikit_Learn", ["model.joblib", "notes.json"], "model.joblib"),
        ("XGBoost", ["config.json", "model.json"], "model.json"),
        ("XGBoost", ["classes.json", "config.json", "xgboost-model"], "xgboost-model"),
        ("XGBoost", ["a.ubj", "b.m"], None),
        ("XGBoost", ["config.json"], None),
    ],
)
def test_the_one_file_of_a_model_is_found(tmp_path, kind, files, one):
    folder = make_tree(tmp_path / "model", dict.fromkeys(files, ""))
    if one:
        assert model_path(str(folder), kind) == str(folder / one)
    else:
        with pytest.raises(PackageError, match="is one file"):
            model_path(str(folder), kind)


def test_a_base_class_beside_the_service_is_no_second_one(package):
    child = (
        ECHO.replace("class Echo(SingleNodeService)", "class Base(SingleNodeService)")
        + "\nclass Echo(Base):\n    pass\n"
    )
    assert json.loads(load(make_tree(package, {"customize_service.py": child})).stdout)["service"] == "Echo"


def test_what_is_beside_the_service_can_be_imported(package):
    service = "from helper import answer\n" + ECHO
    done = load(make_tree(package, {"customize_service.py": service, "helper.py": "answer = 1"}))
    assert (done.returncode, json.loads(done.stdout)["service"]) == (0, "Echo")
