"""A service whose models' processes are started by a host in another container: all as on one machine."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.models.guests import GUESTS
from orchestrator.serving.settings import Deployed
from tests.engines.conftest import make_wheel
from tests.serving.conftest import ECHO
from tests.store.trees import make_tree
from tests.waiting import wait_until

Host = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def address(tmp_path: Path) -> str:
    return str(tmp_path / "host.sock")


@pytest.fixture
def host(tmp_path: Path, address: str) -> Iterator[Host]:
    """Give a function that starts a host, as the container of an engine's image does."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "host.log").open("ab") as log:
            started.append(subprocess.Popen(["/bin/sh", GUESTS[0] / "host.sh", address], stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_what_exits_or_hangs_is_started_again(run, deployed, host, address, tmp_path):
    host()
    source = "print('loading', flush=True)\n" + ECHO
    service = run(deployed(source=source, host=address), timeout=4.0)
    pid = service.http.post("/", json={"a": 1}).json()["pid"]
    answer = service.http.post("/", json={"do": "exit"})
    assert (answer.status_code, "exit code 9" in answer.text) == (503, True)
    service.wait()
    after = service.http.post("/", json={}).json()["pid"]
    assert after != pid
    assert service.http.post("/", json={"do": "sleep", "seconds": 600}).status_code == 504
    wait_until(lambda: not is_alive(after))
    service.wait()
    assert service.http.post("/", json={}).status_code == 200
    assert "loading" in (tmp_path / "host.log").read_text()


def test_nothing_outlives_the_front(run, deployed, host, address):
    host()
    service = run(deployed(host=address))
    pid = service.http.post("/", json={}).json()["pid"]
    service.process.kill()
    wait_until(lambda: not is_alive(pid))


def test_a_host_that_dies_takes_its_processes_along_and_is_found_again(run, deployed, host, address):
    first = host()
    service = run(deployed(host=address))
    pid = service.http.post("/", json={}).json()["pid"]
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))
    assert service.http.post("/", json={}).status_code == 503
    host()
    service.wait()
    assert service.http.post("/", json={}).status_code == 200


def test_what_cannot_be_loaded_is_told(run, deployed, host, address):
    host()
    service = run(deployed(source="import nowhere", host=address), ready=False)
    assert service.process.wait(60) == 3
    assert "No module named 'nowhere'" in service.log.read_text().splitlines()[-1]


def test_without_an_address_it_listens_at_all_of_them(run, deployed):
    service = run(deployed(python=""), host="")  # as in a pod, where its own Python may have the model, too
    assert service.http.post("/", json={"a": 1}).json()["fields"] == ["a"]


@pytest.fixture
def asking(deployed, tmp_path: Path) -> Callable[..., Deployed]:
    """Give a function that makes a version whose process installs what these lines ask for, from a folder."""
    (tmp_path / "wheels").mkdir()
    make_wheel(tmp_path / "wheels", "beta")
    pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels")}

    def make(*lines: str, source: str, **fields: Any) -> Deployed:
        make_tree(tmp_path / "asked", {"pip-requirements.txt": "\n".join(lines)})
        folders = {"packages": str(tmp_path / "packages"), "requirements": str(tmp_path / "asked")}
        return deployed(source=source, environment=pip, **folders, **fields)

    return make


USING = ECHO.replace("import os", "import beta, os, shutil").replace(
    "sorted(data)", "[beta.version, shutil.which('run-beta')]"
)


def test_packages_that_the_image_lacks_are_installed_once(run, asking, host, address, tmp_path):
    host()
    service = run(asking("beta", source=USING, host=address), processes=2)
    said = service.http.post("/", json={}).json()["fields"]
    assert said == ["1.0", str(tmp_path / "packages" / "bin" / "run-beta")]
    assert service.http.post("/", json={"do": "exit"}).status_code == 503
    service.wait()
    assert service.http.post("/", json={}).json()["fields"] == said
    assert (tmp_path / "host.log").read_text().count("mlctl: installing the packages") == 1


def test_what_pip_says_is_told_when_they_cannot_be_had(run, asking, host, address):
    host()
    service = run(asking("nowhere==3", source=USING, host=address), ready=False)
    assert service.process.wait(60) == 3
    told = service.log.read_text().splitlines()[-1]
    assert "cannot be loaded: the packages that it needs cannot be installed: " in told and "nowhere==3" in told


def test_the_fronts_own_python_may_install_them(run, asking):
    service = run(asking("beta", source=USING, python=""))  # as beside TensorFlow Serving
    assert service.http.post("/", json={}).json()["fields"][0] == "1.0"
