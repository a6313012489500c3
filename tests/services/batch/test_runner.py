"""A batch keeps every answer, goes on where it stopped, and drops nothing silently."""

import json
import threading

import pytest

from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.progress import SILENT
from orchestrator.services.ask import Answer, Request, ServiceError
from orchestrator.services.batch import runner
from orchestrator.services.batch.record import Batch
from orchestrator.services.batch.runner import BatchRunner
from orchestrator.services.form import Forms, Made
from orchestrator.store import open_store
from orchestrator.store.base import list_objects
from orchestrator.store.file import FileStore
from tests.waiting import wait_until

RULE = {"properties": {"x": {"type": "number", "index": 0}}}
FILES = {"a.txt": b"a", "sub/ü b.txt": b"b", "c.txt": b"c", "large": bytes((12 << 20) + 1)}


class Service:
    """Answers with what it was sent; refuses what begins with `bad`."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.full = 0  # so many times it says that it is
        self.away_after = 10**9  # requests
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        with self._lock:
            self.asked.append(request.body)
            if len(self.asked) > self.away_after:
                raise ServiceError("nobody answers")
            if self.full:
                self.full -= 1
                return Answer(503, {"msg": "too many wait"}, "")
        if request.body.startswith(b"bad") or b"13" in request.body:
            return Answer(422, {"msg": "not like this"}, "")
        return Answer(200, {"said": request.body.decode()}, "echo/v1")


class Plain(Forms):
    """Sends files as they are, without a form."""

    def make(self, files):
        ((_, content),) = files.items()
        return Made(Request(content, "text/plain"), {})


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def source(tmp_path) -> FileStore:
    return FileStore(tmp_path / "source")


@pytest.fixture
def store(store_url):
    return open_store(store_url)


@pytest.fixture
def ask(service, source, store, monkeypatch):
    """Give a function that runs the batch."""
    monkeypatch.setattr(runner, "FIRST_PAUSE", 0.01)

    def run(**fields):
        mapping, rule = fields.pop("mapping", "file"), fields.pop("rule", RULE)
        batch = Batch(service=fields.pop("service", "echo"), source=source.url, mapping=mapping)
        one = BatchRunner(service, Plain({}), batch, source=source, target=store, rule=rule, parallel=2)
        return one.run(SILENT)

    return run


def manifest(store):
    lines = [json.loads(line) for line in store.get("manifest.jsonl").data.splitlines()]
    return {line["source"]: line for line in lines}


def test_each_file_has_its_answer_or_its_reason(ask, service, source, store):
    for key, data in FILES.items() | {"bad.txt": b"bad"}.items():
        source.put(key, data)
    outcome = ask()
    assert (outcome.done, outcome.before) == (3, 0)
    assert json.loads(store.get("sub/ü b.txt_result.txt").data) == {"said": "b"}
    told = manifest(store)
    assert len(told) == 5
    good = told[f"{source.url}/sub/ü b.txt"]
    assert good == {
        "source": f"{source.url}/sub/ü b.txt",
        "result": "SUCCESSFUL",
        "inference-loc": f"{store.url.rstrip('/')}/sub/ü b.txt_result.txt",
    }
    assert told[f"{source.url}/bad.txt"]["error_message"] == "the service answers with 422: not like this"
    assert {failure.path: failure.error.message for failure in outcome.failures} == {
        "bad.txt": "the service answers with 422: not like this",
        "large": "it has 12582913 bytes, and a service takes 12582912 at most",
    }
    assert len(service.asked) == 4  # the large one is not even sent


def test_it_goes_on_where_it_stopped(ask, service, source, store):
    for number in range(20):
        source.put(f"{number:02}", b"%d" % number)
    source.put("bad", b"bad")
    service.away_after, patience = 10, runner.PATIENCE
    runner.PATIENCE = 0.0
    try:
        with pytest.raises(ServiceError, match="nobody answers") as caught:
            ask()
    finally:
        runner.PATIENCE = patience
    assert "goes on from here" in caught.value.hint
    service.away_after, sent = 10**9, {*service.asked[:10]} - {b"13"}
    service.asked.clear()
    # What was under way when one found nobody is kept all the same, a moment later.
    wait_until(lambda: sum(item.key.endswith(runner.RESULT) for item in list_objects(store, "")) >= len(sent))
    outcome = ask()
    assert (outcome.done, outcome.before >= len(sent)) == (19, True)  # 13 is refused, whenever it is asked about
    assert not sent & {*service.asked}
    source.put("bad", b"good now")
    again = ask()
    assert (again.done, again.before, [one.path for one in again.failures]) == (20, 19, ["13"])


def test_a_service_that_is_full_is_waited_for(ask, service, source):
    source.put("a", b"a")
    service.full = 3
    assert ask().done == 1
    assert len(service.asked) == 4


def test_rows_are_answered_in_their_order(ask, source, store):
    source.put("good.csv", "\ufeff1,x\n2,y\n3,z\n".encode())
    source.put("mixed.csv", b"1\nfive\n13\n4\n")
    source.put("text.csv", b"\xff\xfe\x00")
    outcome = ask(mapping="csv")
    assert outcome.done == 1
    said = [json.loads(json.loads(line)["said"])["x"] for line in store.get("good.csv_result.txt").data.splitlines()]
    assert said == [1.0, 2.0, 3.0]
    rows = [json.loads(line) for line in store.get("mixed.csv_partial.txt").data.splitlines()]
    assert [row.get("error_message", "") for row in rows] == [
        "",
        "column 0 is 'five', which is no number",
        "the service answers with 422: not like this",
        "",
    ]
    reasons = {failure.path: failure.error.message for failure in outcome.failures}
    assert reasons["mixed.csv"].startswith("2 of 4 rows failed: row 2: column 0 is 'five', which is no number; row 3:")
    assert reasons["text.csv"].startswith("it is no table of CSV")
    source.put("mixed.csv", b"1\n5\n12\n4\n")
    assert ask(mapping="csv").done == 2


def test_cells_are_read_as_spreadsheets_write_them(ask, source, store):
    source.put("quoted.csv", b'"1","a, ""b"""\r\n2,"two\nlines"\r\n\r\n3,"\xe2\x80\xa8"\r\n\r\n')
    rule = {"properties": {"x": {"type": "number", "index": 0}, "text": {"type": "string", "index": 1}}}
    assert ask(mapping="csv", rule=rule).done == 1
    rows = [json.loads(json.loads(line)["said"]) for line in store.get("quoted.csv_result.txt").data.splitlines()]
    assert [row["x"] for row in rows] == [1, 2, 3]
    assert [row["text"] for row in rows] == ['a, "b"', "two\nlines", ""]


def test_answers_of_another_batch_are_left_alone(ask, source, store):
    with pytest.raises(NotFoundError, match="there is nothing below"):
        ask()
    source.put("a", b"1")
    ask()
    before = store.get("a_result.txt")
    for other in ({"service": "other"}, {"mapping": "csv"}):
        with pytest.raises(ConflictError, match="has answers of echo to "):
            ask(**other)
    assert store.get("a_result.txt") == before


def test_what_is_no_batch_is_left_alone(ask, source, store):
    source.put("a", b"1")
    store.put("notes.txt", b"mine")
    with pytest.raises(ConflictError, match=r"has something else than answers, such as notes\.txt"):
        ask()
    assert [item.key for item in list_objects(store, "")] == ["notes.txt"]
