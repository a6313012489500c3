"""A service whose models' processes are started by a host in another container: all as on one machine."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.serving.launch import GUEST
from tests.serving.conftest import ECHO
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
            started.append(subprocess.Popen(["/bin/sh", GUEST / "host.sh", address], stdout=log, stderr=log))
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
    service = run(deployed(source=source, host=address), timeout=2.0)
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
