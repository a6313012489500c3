"""What goes wrong around a service: bad clients, bad pictures, a full disk, no memory. It answers on, and in JSON."""

import io
import json
import os
import resource
import socket
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from orchestrator.serving.settings import Settings
from tests.serving.conftest import ECHO, Running
from tests.waiting import wait_until

READING = """
from model_service.model_service import SingleNodeService

class Reading(SingleNodeService):
    def _preprocess(self, data):
        return data["images"]

    def _inference(self, data):
        return {"sizes": [len(file.read()) for file in data.values()]}

    def _postprocess(self, data):
        return {"scores": data["scores"]} if data["sizes"] == [1] else data
"""


def png(width: int, height: int) -> bytes:
    """Return the beginning of a picture, which says how large the whole is."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def jpeg(width: int, height: int) -> bytes:
    return b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08" + struct.pack(">HH", height, width) + bytes(10)


def send(port: int, data: bytes) -> bytes:
    """Send bytes, and return all that comes until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(data)
        answer = io.BytesIO()
        while block := connection.recv(65536):
            answer.write(block)
        return answer.getvalue()


def test_slow_clients_are_sent_away(run, deployed):
    running = run(deployed(), head_timeout=1.0, body_timeout=1.0)
    port = running.settings.port
    assert b"headers were not there within 1 s" in send(port, b"")
    assert send(port, b"POST / HTTP/1.1\r\nContent-Le").startswith(b"HTTP/1.1 408 ")
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100\r\n"
    assert b"was not there within 1 s" in send(port, head + b"\r\n{")
    form = head + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    assert b"was not there within 1 s" in send(port, form)
    assert running.http.post("/", json={}).status_code == 200


REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"


def connect(running, count: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", running.settings.port), timeout=60) for _ in range(count)]


def close(connections: list[socket.socket]) -> None:
    for one in connections:
        one.close()


def ask(connection: socket.socket) -> bytes:
    connection.sendall(REQUEST + b"{}")
    return connection.recv(1 << 16)


def test_many_connections_at_once(run, deployed):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    running = run(deployed())
    many = connect(running, min(3000, hard - 500))
    assert all(ask(one).startswith(b"HTTP/1.1 200") for one in many[::20])
    close(many)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_an_idle_connection_makes_room_for_another(run, deployed):
    running = run(deployed(), connections=20)
    running.http.close()
    many = connect(running, 20)
    assert all(ask(one).startswith(b"HTTP/1.1 200") for one in many)
    late = connect(running, 3)
    assert all(ask(one).startswith(b"HTTP/1.1 200") for one in late)
    assert [one.recv(1) for one in many[:3]] == [b""] * 3
    assert ask(many[3]).startswith(b"HTTP/1.1 200")
    close(many + late)


def test_who_comes_when_all_connections_are_at_work_is_turned_away(run, deployed):
    running = run(deployed(), connections=20)
    running.http.close()
    many = connect(running, 20)
    for one in many:
        one.sendall(REQUEST.replace(b"Host: x", b"Expect: 100-continue"))
        assert one.recv(1 << 16).startswith(b"HTTP/1.1 100")
    late = connect(running, 5)
    answers = [ask(one) for one in late]
    assert all(one.startswith(b"HTTP/1.1 503 Service Unavailable\r\n") for one in answers)
    assert all(b"retry-after: 1" in one.lower() and b"20 connections are open" in one for one in answers)
    assert connect(running, 1)[0].recv(1) == b""  # and who does not ask, too
    many[0].sendall(b"{}")
    assert many[0].recv(12) == b"HTTP/1.1 200"
    assert ask(connect(running, 1)[0]).startswith(b"HTTP/1.1 200")
    assert running.log.read_text().count("all 20 connections") == 1
    close(many + late)


def test_there_are_no_more_connections_than_files(run, deployed, tmp_path, monkeypatch):
    model = deployed()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nulimit -n 260\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    running = run(model)
    assert "60 connections at once instead of 10000: ulimit -n is 260" in running.log.read_text()
    many = connect(running, 300)
    assert ask(many[-1]).startswith(b"HTTP/1.1 200")
    close(many)


@pytest.mark.parametrize("picture", [png(40_000, 40_000), jpeg(60_000, 60_000)], ids=["png", "jpeg"])
def test_a_picture_that_no_memory_holds_is_not_opened(run, deployed, picture):
    http = run(deployed(source=READING)).http
    answer = http.post("/", files={"images": ("huge", picture)})
    assert (answer.status_code, "pixels" in answer.json()["msg"]) == (422, True)
    for good in (png(28, 28), jpeg(28, 28), b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF8", b"no picture"):
        assert http.post("/", files={"images": ("small", good)}).json() == {"sizes": [len(good)]}


def test_whose_fault_it_is_shows_by_the_step(run, deployed):
    http = run(deployed(source=READING)).http
    wrong_field = http.post("/", files={"other": b"xx"})
    assert (wrong_field.status_code, "'images', which is not there" in wrong_field.text) == (422, True)
    wrong_code = http.post("/", files={"images": b"x"})
    assert (wrong_code.status_code, "'scores', which is not there" in wrong_code.text) == (500, True)


def test_a_full_disk_stops_nobody(tmp_path: Path, deployed, run):
    (tmp_path / "models.log").symlink_to("/dev/full")  # whoever writes there is told that the disk is full
    running = run(deployed(source=ECHO.replace("what = data", "print('to the log'); what = data")))
    large = {"images": b"x" * (3 << 20)}
    assert running.http.post("/", files=large).json()["fields"] == ["images"]
    assert running.http.post("/", json={"do": "raise"}).status_code == 500
    pid = running.http.post("/", json={}).json()["pid"]
    assert running.http.post("/", json={"do": "raise"}).status_code == 500
    assert running.http.post("/", json={}).json()["pid"] == pid


def test_a_model_that_leaks_is_killed_before_the_front(run, deployed):
    running = run(deployed())
    pid = running.http.post("/", json={}).json()["pid"]
    if not (score := Path(f"/proc/{pid}/oom_score_adj")).exists():
        pytest.skip("not Linux")
    assert int(score.read_text()) > int(Path(f"/proc/{running.process.pid}/oom_score_adj").read_text())


def test_pauses_grow_between_restarts_of_a_model_that_dies_again_and_again(run, deployed):
    running = run(deployed())
    begun = time.monotonic()
    for _ in range(2):
        assert running.http.post("/", json={"do": "exit"}).status_code == 503
        wait_until(lambda: running.http.get("/ready").status_code == 200)
    assert time.monotonic() - begun > 0.5 + 1


def test_a_port_that_is_taken_is_told(run, deployed, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = Settings(name="shop", models=(deployed(),), port=other.getsockname()[1])
        running = Running(tmp_path, settings)
        assert running.process.wait(60) != 0
        running.http.close()
    assert "address already in use" in running.log.read_text()


def test_nothing_that_a_client_may_send_breaks_it(run, deployed):
    running = run(deployed())
    pid = running.http.post("/", json={}).json()["pid"]
    url = f"http://127.0.0.1:{running.settings.port}/openapi.json"
    command = [Path(sys.executable).with_name("schemathesis"), "run", url, "--phases", "coverage,fuzzing"]
    command += ["--max-examples", "10", "--generation-deterministic", "--exclude-checks"]
    # What a model takes it says itself; and a GET of a path that ends in `:predict` is one of a model of that name.
    command += ["positive_data_acceptance,unsupported_method"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, cwd=running.log.parent)
    assert done.returncode == 0, done.stdout[-8000:]
    assert running.http.post("/", json={}).json()["pid"] == pid
    assert "Traceback" not in running.log.read_text()
    assert json.loads(running.http.get("/openapi.json").text)["openapi"].startswith("3.1")
