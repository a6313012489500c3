"""What a client of a service sees, by each protocol, and what it never does to others."""

import json
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

import pytest

from orchestrator.serving.auth import token_hash
from tests.serving.conftest import ECHO
from tests.waiting import wait_until

TOKEN = "secret"


def test_modelarts_takes_files_and_json(run, deployed):
    http = run(deployed()).http
    assert http.post("/", files={"images": ("seven.png", b"123")}).json()["fields"] == ["images"]
    kind = {"Content-Type": "Multipart/Form-Data; boundary=b"}  # of any case, as all types are
    form = b'--b\r\nContent-Disposition: form-data; name="x"; filename="7"\r\n\r\n1\r\n--b--\r\n'
    assert http.post("/", content=form, headers=kind).json()["fields"] == ["x"]
    answer = http.post("/v1/infers/shop", json={"a": 1, "b": 2})
    assert answer.json() == {"version": 1, "pid": answer.json()["pid"], "fields": ["a", "b"]}
    assert answer.headers["X-Mlctl-Model"] == "echo/v1"
    assert http.post("/v1/infers/other", json={}).status_code == 404


def test_tensorflow_servings_protocol(run, deployed):
    http = run(deployed()).http
    rows = {"instances": [[1, 2], [3, 4]]}
    assert http.post("/v1/models/echo:predict", json=rows).json() == {"predictions": [[2, 4], [6, 8]]}
    named = {"instances": [{"x": [1, 2]}]}
    assert http.post("/v1/models/echo/versions/1:predict", json=named).json() == {"predictions": [[2, 4]]}
    assert http.post("/v1/models/echo:predict", json={"inputs": {"x": [[1, 2]]}}).json() == {"outputs": [[2, 4]]}
    assert http.get("/v1/models/echo").json()["model_version_status"][0]["state"] == "AVAILABLE"
    assert "x" in http.get("/v1/models/echo/metadata").text


def test_a_signature_that_is_named_takes_its_own_inputs(run, deployed):
    other = '[{"name": "z", "dtype": "float32", "shape": [-1, 2]}]'
    source = ECHO.replace(
        'return {"inputs": both', f'other = {{"inputs": {other}, "outputs": {other}}}; return {{"inputs": both'
    )
    source = source.replace(
        '"shape": [-1, 2]}]}\n', '"shape": [-1, 2]}], "signatures": {"double": {}, "other": other}}\n'
    )
    source = source.replace(
        'if set(inputs) != {"x"}:', 'if signature: return {signature: inputs["z"]}\n        if set(inputs) != {"x"}:'
    )
    http = run(deployed(source=source)).http
    asked = {"signature_name": "other", "instances": [[1, 2]]}
    assert http.post("/v1/models/echo:predict", json=asked).json() == {"predictions": [[1, 2]]}
    told = http.get("/v1/models/echo/metadata").json()["metadata"]["signature_def"]["signature_def"]
    assert (list(told["other"]["inputs"]), list(told)) == (["z"], ["double", "other"])


def test_the_open_inference_protocol(run, deployed):
    http = run(deployed()).http
    question = {"id": "7", "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}
    answer = http.post("/v2/models/echo/infer", json=question).json()
    assert (answer["id"], answer["model_version"]) == ("7", "1")
    assert answer["outputs"] == [{"name": "y", "shape": [1, 2], "datatype": "FP32", "data": [2.0, 4.0]}]
    assert http.get("/v2/health/ready").json() == {"ready": True}
    assert http.get("/v2/models/echo").json()["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
    assert http.get("/v2/models/echo/versions/1/ready").json()["ready"]


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ({"instances": [["a", "ü"], ["", "c"]]}, {"predictions": [["aa", "üü"], ["", "cc"]]}),
        ({"instances": [{"b64": "AQI="}]}, {"predictions": ["\1\2\1\2"]}),
        ({"instances": [{"x": {"b64": "/w=="}}, {"x": "a"}]}, {"predictions": [{"b64": "//8="}, "aa"]}),
        ({"inputs": {"x": {"b64": "/w=="}}}, {"outputs": {"b64": "//8="}}),
        ({"inputs": {"b64": "YQ=="}}, {"outputs": "aa"}),
    ],
)
def test_text_and_bytes_by_tensorflow_serving(once, sent, answer):
    assert once.http.post("/v1/models/echo:predict", json=sent).json() == answer


def test_text_by_the_open_inference_protocol(once):
    question = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "BYTES", "data": ["a", "ü"]}]}
    answer = once.http.post("/v2/models/echo/infer", json=question).json()
    assert answer["outputs"] == [{"name": "y", "shape": [1, 2], "datatype": "BYTES", "data": ["aa", "üü"]}]


def test_tensorflow_servings_metadata(once):
    told = once.http.get("/v1/models/echo/metadata").json()["metadata"]["signature_def"]
    assert told["@type"] == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signature = told["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    dims = [{"size": "-1", "name": ""}, {"size": "2", "name": ""}]
    shape = {"dim": dims, "unknown_rank": False}
    assert signature["inputs"] == {"x": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "x"}}


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/", b"{", 400, "not valid JSON"),
        ("/", b"", 400, "the request has no body"),
        ("/", b'{"a": "\xff"}', 400, "not valid JSON"),
        ("/", b"[1]", 422, "an object is wanted"),
        ("/nothing", b"{}", 404, "to be asked: POST /"),
        ("/v1/models/other:predict", b"{}", 404, "it has echo/v1"),
        ("/v1/models/echo/versions/9:predict", b"{}", 404, "there is no model echo v9"),
        ("/v1/models/echo:predict", b"{}", 400, "instances"),
        ("/v1/models/echo:predict", b'{"instances": [[1, 2], [3]]}', 400, "ragged"),
        (
            "/v1/models/echo:predict",
            b'{"instances": ["a", 1]}',
            400,
            "neither of numbers nor of text: it holds 1 beside",
        ),
        ("/v1/models/echo:predict", b'{"inputs": {"b64": "?"}}', 400, "a b64 is no base64"),
        ("/v1/models/echo:predict", b'{"instances": [{"z": 1}]}', 422, "the model's inputs are x"),
        ("/v1/models/echo:predict", b'{"inputs": {"$array": [1], "$bytes": [0, 9]}}', 422, "the model's inputs are x"),
        ("/", b'[{"$array": [0, 9, "f4", [1]]}]', 422, "an object is wanted"),
        ("/", b"[" * 100_000, 400, "nested too deeply"),
        ("/v2/models/echo/infer", b"{}", 400, "no inference request"),
        (
            "/v2/models/echo/infer",
            b'{"inputs": [{"name": "x", "shape": [3], "datatype": "FP32", "data": [1]}]}',
            400,
            "is not FP32 of shape",
        ),
    ],
)
@pytest.mark.usefixtures("once")
def test_bad_requests_get_the_contracts_error(once, path, body, status, message):
    answer = once.http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert message in answer.json()["msg"]
    others = {"error"} if path.startswith(("/v1/models", "/v2")) else set()  # where their clients look
    assert set(answer.json()) == {"erno", "msg", "words_result"} | others
    assert once.http.post("/", json={}).status_code == 200


@pytest.fixture
def once(run, deployed):
    return run(deployed(), body=1 << 20)


def test_too_much_is_refused_before_it_is_read(once):
    answer = once.http.post("/", content=b"x" * (2 << 20), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert once.http.post("/", files={"a": b"x" * (2 << 20)}).status_code == 413


def test_a_model_that_raises_dies_or_hangs_harms_nobody_else(run, deployed):
    once = run(deployed(), timeout=4.0)
    answer = once.http.post("/", json={"do": "raise"})
    assert (answer.status_code, answer.json()["msg"]) == (500, "echo/v1: RuntimeError: as it was asked to")
    before = once.http.post("/", json={}).json()["pid"]
    answer = once.http.post("/", json={"do": "exit"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "has died (exit code 9)" in answer.json()["msg"]
    once.wait()
    assert once.http.post("/", json={}).json()["pid"] != before
    answer = once.http.post("/", json={"do": "sleep", "seconds": 60})
    assert (answer.status_code, "did not answer in time" in answer.json()["msg"]) == (504, True)
    once.wait()
    assert once.http.post("/", json={}).status_code == 200
    assert "RuntimeError: as it was asked to" in once.models_log.read_text()


def test_too_many_are_turned_away(run, deployed, tmp_path):
    running = run(deployed(), queue=2)
    held = {"do": "wait", "begun": str(tmp_path / "begun"), "go": str(tmp_path / "go")}
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(running.http.post, "/", json=held) for _ in range(8)]
        first = [one.result() for one in islice(as_completed(asked), 5)]  # the others have room
        (tmp_path / "go").touch()
    assert [answer.status_code for answer in first] == [503] * 5
    assert sorted(one.result().status_code for one in asked) == [200] * 3 + [503] * 5


def test_only_who_has_a_token_is_answered(run, deployed):
    http = run(deployed(), tokens=(token_hash(TOKEN),)).http
    refused = http.post("/", json={})
    assert (refused.status_code, "X-Auth-Token" in refused.json()["msg"]) == (401, True)
    assert http.post("/", json={}, headers={"X-Auth-Token": "wrong"}).status_code == 401
    for header in ({"X-Auth-Token": TOKEN}, {"Authorization": f"Bearer {TOKEN}"}, {"X-Apig-AppCode": TOKEN}):
        assert http.post("/", json={}, headers=header).status_code == 200
    assert http.get("/health").status_code == 200
    assert http.get("/service", headers={"Host": "x/health?"}).status_code == 401


def test_weights_and_versions(run, deployed):
    running = run(deployed(1, weight=75), deployed(2, weight=25))
    answers = [running.http.post("/", json={}).json()["version"] for _ in range(200)]
    assert 20 <= answers.count(2) <= 90
    assert running.http.post("/v1/models/echo/versions/2:predict", json={"instances": [[1, 1]]}).status_code == 200


def test_a_shadow_gets_a_copy_and_nobody_its_answer(run, deployed):
    failing = ECHO.replace(
        "def _inference(self, data):", "def _inference(self, data):\n        raise RuntimeError('mine')"
    )
    running = run(deployed(1), deployed(2, source=failing, shadow=True, weight=0))
    for _ in range(20):
        answer = running.http.post("/", json={})
        assert (answer.json()["version"], answer.headers["X-Mlctl-Model"]) == (1, "echo/v1")
    named = running.http.post("/v1/models/echo/versions/2:predict", json={"inputs": [[1, 1]]})
    assert named.headers["X-Mlctl-Model"] == "echo/v2"
    counted = 'mlctl_failures_total{model="echo",protocol="shadow",version="v2"} 20.0'
    wait_until(lambda: counted in running.http.get("/metrics").text)
    text = running.http.get("/metrics").text
    assert 'mlctl_failures_total{model="echo",protocol="modelarts",version="v1"} 0.0' in text
    assert 'mlctl_invocations_total{model="echo",protocol="shadow",version="v1"}' not in text


def test_a_shadow_that_hangs_slows_nobody(run, deployed):
    slow = ECHO.replace("def _inference(self, data):", "def _inference(self, data):\n        time.sleep(60)")
    running = run(deployed(1), deployed(2, source=slow, shadow=True, weight=0), queue=5, timeout=5.0)
    begun = time.monotonic()
    assert {running.http.post("/", json={}).status_code for _ in range(50)} == {200}
    assert time.monotonic() - begun < 30  # one answer of the shadow alone would take twice as long


def test_weights_change_while_requests_come(run, deployed):
    running = run(deployed(1), deployed(2, weight=0))
    pids = {running.http.post("/", json={}).json()["pid"] for _ in range(20)}
    running.change(models=(deployed(1, weight=0), deployed(2)), revision=1)
    wait_until(lambda: running.http.get("/service").json()["revision"] == 1)
    answers = [running.http.post("/", json={}).json() for _ in range(20)]
    assert {answer["version"] for answer in answers} == {2}
    running.change(models=(deployed(1), deployed(2, weight=0)), revision=2)
    wait_until(lambda: running.http.get("/service").json()["revision"] == 2)
    assert {running.http.post("/", json={}).json()["pid"] for _ in range(20)} == pids  # it was never loaded anew


def test_a_process_that_dies_while_nobody_asks_is_back_for_the_next_request(run, deployed):
    running = run(deployed(), before="from orchestrator.serving import pool; pool.PATIENCE = 60.0")  # on a busy machine
    pid = running.http.post("/", json={}).json()["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "has died" in running.http.get("/ready").text)
    answer = running.http.post("/", json={})  # waits for the new one
    assert answer.status_code == 200
    assert answer.json()["pid"] != pid


def test_a_new_version_takes_over_without_a_lost_request(run, deployed):
    running = run(deployed(1), processes=2)
    seen: list[tuple[int, int]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answer = running.http.post("/", json={"do": "sleep", "seconds": 0.01})
            seen.append((answer.status_code, answer.json().get("version", 0)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: (200, 1) in seen)
        running.change(models=(deployed(2),))
        wait_until(lambda: (200, 2) in seen[-4:])
    finally:
        stop.set()
    for thread in threads:
        thread.join()
    assert {status for status, _ in seen} == {200}
    assert {version for _, version in seen} == {1, 2}


def test_what_cannot_be_loaded_changes_nothing(run, deployed):
    running = run(deployed(1))
    running.change(models=(deployed(2, source="import nowhere"),))
    wait_until(lambda: "cannot be loaded" in running.log.read_text())
    assert running.http.post("/", json={}).json()["version"] == 1


def test_a_service_without_a_model_ends(run, deployed):
    running = run(deployed(source="import nowhere"), ready=False)
    assert running.process.wait(60) == 3
    assert "No module named 'nowhere'" in running.log.read_text()


def test_requests_under_way_are_answered_at_the_end(run, deployed, tmp_path):
    running = run(deployed())
    begun, go = tmp_path / "begun", tmp_path / "go"
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(running.http.post, "/", json={"do": "wait", "begun": str(begun), "go": str(go)})
        wait_until(begun.exists)
        running.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(running.settings.port))
        go.touch()
        assert answer.result().status_code == 200
    assert running.process.wait(60) == 0


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_what_was_asked_is_counted_and_logged(run, deployed):
    running = run(deployed())
    running.http.post("/", json={}, headers={"X-Request-Id": "abc"})
    running.http.post("/", json={"do": "raise"})
    text = running.http.get("/metrics").text
    assert 'mlctl_invocations_total{model="echo",protocol="modelarts",version="v1"} 2.0' in text
    assert 'mlctl_failures_total{model="echo",protocol="modelarts",version="v1"} 1.0' in text
    [told] = running.http.get("/service").json()["models"]
    assert told["calls"] == {"invocations": 2, "failures": 1, "per_minute": 2}
    entries = [json.loads(line) for line in running.log.read_text().splitlines() if line.startswith('{"time"')]
    assert [(entry["status"], entry["model"]) for entry in entries if entry["id"] == "abc"] == [(200, "echo/v1")]


def test_slow_and_many_clients_do_not_stop_others(run, deployed):
    running = run(deployed())
    port = running.settings.port
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
    for one in slow:
        one.sendall(b"POST / HTTP/1.1\r\nContent-Le")
    assert running.http.post("/", json={}).status_code == 200
    for one in slow:
        one.close()


def test_an_answer_comes_in_one_piece(run, deployed):
    port = run(deployed()).settings.port
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(3):
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            assert connection.recv(1 << 16).endswith(b"}")


def test_numbers_that_json_does_not_have(run, deployed):
    answer = run(deployed()).http.post("/", json={"do": "nan"})
    assert answer.status_code == 200
    assert answer.json() == {"value": None}
