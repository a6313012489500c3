"""Whatever the network and the server do, data is right or an error says what is wrong; nothing is lost in silence."""

import hashlib
import itertools
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from orchestrator.datasets import Datasets
from orchestrator.errors import MlctlError, NotFoundError, PermissionDeniedError, StoreError
from orchestrator.store import open_store
from orchestrator.store.base import AlreadyExistsError, ChangedError, CorruptObjectError, Store, list_objects
from orchestrator.store.records import change, encode, read
from orchestrator.store.s3 import clients, copy, download, multipart, retry
from orchestrator.store.s3 import store as s3_store
from tests.buckets import Bucket
from tests.store.proxy import KINDS, Answer, Kind, Proxy, Request, Rule, at_random, open_proxy
from tests.store.trees import make_tree, read_tree

PART = 5 << 20  # bytes; S3's least, so that a file of many parts is small
RANGE = 1 << 20  # bytes
SEED = int(os.environ.get("MLCTL_TEST_SEED", "1"))

mixed = pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
everything = [
    *(pytest.param(0.3, (kind,), id=kind) for kind in KINDS),
    *(pytest.param(rate, KINDS, id=f"mixed-{rate}") for rate in (0.1, 0.5)),
    *(
        pytest.param(rate, (kind,), id=f"{kind}-{rate}", marks=pytest.mark.journey)
        for kind in KINDS
        for rate in (0.1, 0.5)
    ),
]


@pytest.fixture(scope="module")
def running(s3: Bucket) -> Iterator[Proxy]:
    with open_proxy(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture
def proxy(running: Proxy, s3: Bucket, bucket_url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    """Give the proxy, through which the bucket is reached."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(retry, "LONGEST_PAUSE", 0.5)
    monkeypatch.setattr(clients, "FIRST_CONTACT", 60.0)  # on a busy machine three seconds are a few attempts
    running.done.clear()
    running.seen.clear()
    open_store(bucket_url).put_if_absent("proof", b"")  # conditional writes are proven once for all tests
    shutil.copytree(home / "stores", s3.home / "stores", dirs_exist_ok=True)
    return running


@pytest.fixture
def store(proxy: Proxy, bucket_url: str) -> Store:
    return open_store(bucket_url)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_store, "PART", PART)
    monkeypatch.setattr(multipart, "PART", PART)
    monkeypatch.setattr(download, "FIRST", RANGE)
    monkeypatch.setattr(download, "RANGE", RANGE)


class Counter(msgspec.Struct):
    value: int = 0


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def block(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def keys_of(store: Store, prefix: str = "") -> list[str]:
    return sorted(item.key for item in list_objects(store, prefix))


def in_threads(number: int, work: Callable[[int], object]) -> None:
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            work(index)
        except BaseException as error:  # noqa: BLE001  (raised anew below)
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize(("rate", "kinds"), everything)
def test_small_objects(store, proxy, tmp_path, rate, kinds):
    with proxy.doing(at_random(rate, SEED, kinds)):
        for number in range(10):
            data = block(1000 + number, number)
            store.put(f"a/{number}", data)
            assert store.get(f"a/{number}").data == data
            assert store.head(f"a/{number}").size == len(data)
        assert keys_of(store, "a/") == sorted(f"a/{number}" for number in range(10))
        assert store.list_page("", delimiter="/").prefixes == ["a/"]
        (tmp_path / "source").write_bytes(block(50_000))
        assert store.upload("b", tmp_path / "source") == sha256(block(50_000))
        store.copy("b", "c")
        try:
            store.download("c", tmp_path / "c", sha256=sha256(block(50_000)))
        except CorruptObjectError as error:  # where every other answer is changed, all readings may be
            assert rate == 0.5
            assert "changed on the way" in error.message
            assert not (tmp_path / "c").exists()
        else:
            assert (tmp_path / "c").read_bytes() == block(50_000)
        assert store.head("none") is None
        store.delete([f"a/{number}" for number in range(10)])
        assert keys_of(store) == ["b", "c", "proof"]
    assert sum(proxy.done.values()) > 0


@pytest.mark.parametrize(("rate", "kinds"), everything)
def test_conditional_writes(store, proxy, rate, kinds):
    with proxy.doing(at_random(rate, SEED, kinds)):
        for number in range(5):
            etag = store.put_if_absent(f"k/{number}", b"first")
            with pytest.raises(AlreadyExistsError):
                store.put_if_absent(f"k/{number}", b"second")
            later = store.put_if_unchanged(f"k/{number}", b"third", etag)
            with pytest.raises(ChangedError):
                store.put_if_unchanged(f"k/{number}", b"fourth", etag)
            assert (store.get(f"k/{number}").data, store.get(f"k/{number}").etag) == (b"third", later)


@mixed
def test_no_update_is_lost_or_done_twice(store, proxy, bucket_url, rate):
    store.put("counter", encode(Counter()))

    def work(index: int) -> None:
        mine = open_store(bucket_url)
        for _ in range(4):
            change(mine, "counter", Counter, lambda counter: Counter(counter.value + 1))

    with proxy.doing(at_random(rate, SEED)):
        in_threads(4, work)
    assert read(store, "counter", Counter).value == 16


@mixed
def test_numbers_are_claimed_without_gaps_or_twins(store, proxy, bucket_url, rate):
    won: list[int] = []

    def work(index: int) -> None:
        mine = open_store(bucket_url)
        for _ in range(2):
            number = 1
            while True:
                try:
                    mine.put_if_absent(f"v/{number}", str(index).encode())
                    break
                except AlreadyExistsError:
                    number += 1
            won.append(number)

    with proxy.doing(at_random(rate, SEED)):
        in_threads(4, work)
    assert sorted(won) == list(range(1, 9))


@mixed
def test_a_large_file(store, proxy, small_parts, tmp_path, rate):
    data = block(3 * PART + 12345)
    (tmp_path / "source").write_bytes(data)
    calm = tuple(kind for kind in KINDS if kind != "wrong")
    with proxy.doing(at_random(rate, SEED)):
        assert store.upload("big", tmp_path / "source") == sha256(data)
    with proxy.doing(at_random(rate, SEED, calm)):
        store.download("big", tmp_path / "back", sha256=sha256(data))
    assert (tmp_path / "back").read_bytes() == data
    assert {path.name for path in tmp_path.iterdir()} >= {"source", "back"}


def test_a_large_file_that_is_changed_on_the_way_each_time_never_appears(store, proxy, small_parts, tmp_path):
    data = block(3 * PART)
    store.upload("big", data)
    (tmp_path / "here").mkdir()
    with (
        proxy.doing(at_random(0.5, SEED, ("wrong",))),
        pytest.raises(CorruptObjectError, match="changed on the way") as caught,
    ):
        store.download("big", tmp_path / "here" / "big", sha256=sha256(data))
    assert "network" in caught.value.hint
    assert list((tmp_path / "here").iterdir()) == []


def test_an_object_that_is_damaged_is_not_blamed_on_the_network(store, proxy, tmp_path):
    store.put("bad", b"other bytes")
    with pytest.raises(CorruptObjectError, match=r"bad in .* is damaged"):
        store.download("bad", tmp_path / "bad", sha256=sha256(b"the bytes"))


def test_the_upload_of_a_large_file_ends_well_although_its_last_answer_is_lost(store, proxy, small_parts, tmp_path):
    (tmp_path / "source").write_bytes(block(2 * PART))
    # Some servers remember what was completed, others forget it; nor can it be looked up at first.
    answers: Iterator[Kind | Answer] = iter(("lost", "late", *[Answer(404, "NoSuchUpload")] * 3))
    heads: Iterator[Kind] = iter(("503", "reset"))

    def rule(request: Request) -> Kind | Answer | None:
        if request.late_error:
            return next(answers, None)
        return next(heads, None) if request.method == "HEAD" else None

    with proxy.doing(rule):
        assert store.upload("big", tmp_path / "source") == sha256(block(2 * PART))
    assert proxy.done == {"lost": 1, "late": 1, "503": 1, "reset": 1}
    assert store.head("big").size == 2 * PART


def test_a_large_copy_ends_well_although_its_last_answer_is_lost(store, proxy, small_parts):
    store.upload("big", block(2 * PART))
    answers: Iterator[Kind | Answer] = iter(("late", "lost", Answer(404, "NoSuchUpload")))
    whole = store._key("big"), store._key("copy")
    with proxy.doing(lambda request: next(answers, None) if request.method == "POST" and request.late_error else None):
        copy.copy_object(store.clients, store._workers, *whole, at_once=PART, part=PART)
    assert store.get("copy").data == block(2 * PART)


def test_a_silent_server_is_asked_again(store, proxy, bucket_url, monkeypatch):
    monkeypatch.setattr(clients, "READ_TIMEOUT", 0.4)
    impatient = open_store(bucket_url)
    first, over = itertools.count(), threading.Event()

    def rule(request: Request) -> None:
        if not next(first):
            over.wait()

    with proxy.doing(rule):
        impatient.put("k", b"x")
    over.set()
    assert impatient.get("k").data == b"x"


@pytest.mark.parametrize("layout", ["plain", "packed"])
@mixed
def test_a_dataset_there_and_back(store, proxy, tmp_path, layout, rate):
    files = {f"d{number % 3}/f{number}": block(500 + 37 * number, number) for number in range(15)}
    folder = make_tree(tmp_path / "data", {**files, "large": block(1_500_000), "empty": b""})
    datasets = Datasets(store)
    with proxy.doing(at_random(rate, SEED)):
        pushed = until_done(lambda: datasets.push(folder, name="demo", layout=layout))
        assert pushed.version.number == 1
        until_done(lambda: datasets.pull("demo", None, tmp_path / "back"))
        assert read_tree(tmp_path / "back") == read_tree(folder)
        (folder / "d1" / "f1").write_bytes(b"changed")
        assert until_done(lambda: datasets.push(folder, name="demo", layout=layout)).version.number == 2
    assert [version.number for version in datasets.versions("demo")] == [2, 1]
    assert datasets.verify("demo", 1).files == datasets.verify("demo", 2).files == len(files) + 2


def until_done(work: Callable[[], object]) -> SimpleNamespace:
    """Run it as a user does who is told to try again; each failure must have said so."""
    for _ in range(5):
        try:
            return work()  # type: ignore[return-value]
        except StoreError as error:
            assert error.message
            assert error.hint
    raise AssertionError("it never worked")


def test_a_push_that_fails_makes_no_version(store, proxy, tmp_path, bucket_url):
    folder = make_tree(tmp_path / "data", {f"f{number}": str(number) for number in range(20)})
    impatient = open_store(bucket_url, patience=0.5)
    with (
        proxy.doing(lambda request: "503" if request.key.endswith("files/f7") else None),
        pytest.raises(StoreError, match=r"f7.*SlowDown") as caught,
    ):
        Datasets(impatient).push(folder, name="demo")
    assert "1 of" in caught.value.message or "f7" in caught.value.message
    with pytest.raises(NotFoundError):
        Datasets(store).get("demo")
    before = len(proxy.seen)
    assert Datasets(store).push(folder, name="demo").version.number == 1
    puts = [request.key for request in proxy.seen[before:] if request.method == "PUT" and "/files/" in request.key]
    assert [key.rpartition("/")[2] for key in puts] == ["f7"]  # the others are there
    assert Datasets(store).verify("demo").files == 20


def refuse(answer: Answer, part: str = "") -> Rule:
    return lambda request: answer if part in request.key else None


OPERATIONS = {
    "put": lambda store, path: store.put("k/new", b"x"),
    "claim": lambda store, path: store.put_if_absent("k/new", b"x"),
    "get": lambda store, path: store.get("k/there"),
    "head": lambda store, path: store.head("k/there"),
    "list": lambda store, path: store.list_page("k/"),
    "upload": lambda store, path: store.upload("k/new", block(PART + 1)),
    "download": lambda store, path: store.download("k/there", path / "there"),
    "copy": lambda store, path: store.copy("k/there", "k/new"),
    "delete": lambda store, path: store.delete(["k/there"]),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("answer", "kind", "words", "hint"),
    [
        (Answer(403, "RequestTimeTooSkewed"), StoreError, "clock", "timedatectl"),
        (Answer(403, "ExpiredToken"), PermissionDeniedError, "session token .* expired", "new keys"),
        (Answer(400, "ExpiredToken"), PermissionDeniedError, "session token .* expired", "new keys"),
        (Answer(403, "AccessDenied"), PermissionDeniedError, "access denied", "s3:"),
        (Answer(404, "NoSuchBucket"), StoreError, "there is no bucket", "make the bucket"),
        (Answer(403, "InvalidAccessKeyId"), PermissionDeniedError, "does not know the access key", "profile"),
    ],
    ids=lambda value: f"{value.status}-{value.code}" if isinstance(value, Answer) else "",
)
def test_what_is_refused_is_told_at_once(store, proxy, small_parts, tmp_path, operation, answer, kind, words, hint):
    store.put("k/there", b"x")
    with proxy.doing(refuse(answer)), pytest.raises(kind, match=words) as caught:
        begun = time.monotonic()
        OPERATIONS[operation](store, tmp_path)
    assert time.monotonic() - begun < 20  # and not as long as it has patience
    assert hint in caught.value.hint
    assert list(tmp_path.glob("*there*")) == list(tmp_path.glob(".mlctl-*[0-9]")) == []


def test_a_prefix_that_is_closed_is_named_and_the_rest_arrives(store, proxy, tmp_path):
    folder = make_tree(tmp_path / "data", {"open/1": "1", "closed/2": "2", "closed/3": "3"})
    with (
        proxy.doing(refuse(Answer(403, "AccessDenied", "no"), "/closed/")),
        pytest.raises(MlctlError, match="closed/2") as caught,
    ):
        Datasets(store).push(folder, name="demo", layout="plain")
    assert "closed/3" in caught.value.message
    assert "access denied" in caught.value.message
    assert any(key.endswith("files/open/1") for key in keys_of(store))
    assert not any(key.endswith("dataset.json") for key in keys_of(store))


def test_a_bucket_deleted_meanwhile(store, proxy, tmp_path):
    folder = make_tree(tmp_path / "data", {f"f{number}": str(number) for number in range(20)})
    gone = Answer(404, "NoSuchBucket")
    asked = iter(range(1000))
    with (
        proxy.doing(lambda request: gone if next(asked) >= 15 else None),
        pytest.raises(StoreError, match="there is no bucket"),
    ):
        Datasets(store).push(folder, name="demo", layout="plain")
    Datasets(store).push(folder, name="demo", layout="plain")
    (tmp_path / "back").mkdir()
    asked = iter(range(1000))
    with (
        proxy.doing(lambda request: gone if next(asked) >= 8 else None),
        pytest.raises(StoreError, match="there is no bucket"),
    ):
        Datasets(store).pull("demo", None, tmp_path / "back")
    assert not list((tmp_path / "back").rglob(".mlctl-*[0-9]"))


def test_an_endpoint_that_is_gone(s3, bucket_url, monkeypatch, tmp_path):
    with open_proxy(s3.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        store = open_store(bucket_url, patience=1.0)
        store.put("k", b"x")
    begun = time.monotonic()
    for work in (lambda: store.get("k"), lambda: open_store(bucket_url).upload("k", block(100))):
        with pytest.raises(StoreError, match=f"cannot reach {proxy.endpoint}") as caught:
            work()
        assert "endpoint" in caught.value.hint
    assert time.monotonic() - begun < 30  # and not as long as it has patience
