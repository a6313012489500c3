"""Servers that differ: what they call an ETag, where they have a bucket, what they list, how they say no."""

import itertools
import time
from collections.abc import Iterator

import pytest

from orchestrator.errors import StoreError
from orchestrator.store import open_store
from orchestrator.store.base import AlreadyExistsError, ChangedError, Store, list_objects
from tests.store.s3.fake import Bucket, open_fake


@pytest.fixture
def fake(monkeypatch) -> Iterator[Bucket]:
    with open_fake() as bucket:
        monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
        yield bucket


@pytest.fixture
def store(fake) -> Store:
    return open_store("s3://ml/me")


@pytest.mark.parametrize("unquoted", [True, False])
def test_etags_with_and_without_quotes(fake, store, unquoted):
    fake.unquoted = unquoted
    first = store.put_if_absent("k", b"1")
    store.put_if_unchanged("k", b"2", first)
    with pytest.raises(ChangedError):
        store.put_if_unchanged("k", b"3", first)
    assert store.get("k").data == b"2"
    # The next process need not find it out again.
    fake.requests.clear()
    again = open_store("s3://ml/me")
    again.put_if_unchanged("k", b"4", again.get("k").etag)
    assert len(fake.requests) == 2


def test_a_store_that_ignores_conditions_is_refused_before_anything_is_written(fake, store):
    def ignore(handler):
        del handler.headers["If-None-Match"]

    fake.peculiar = ignore
    for _ in range(2):
        with pytest.raises(StoreError, match="ignores conditional writes: 4 of 4 writers created") as caught:
            store.put_if_absent("k", b"1")
        assert "SeaweedFS" in caught.value.hint
    assert fake.objects == {}


def test_a_store_that_ignores_if_match_is_refused(fake, store):
    def ignore(handler):
        del handler.headers["If-Match"]

    fake.peculiar = ignore
    with pytest.raises(StoreError, match="ignores conditional writes: 4 of 4 writers replaced"):
        store.put_if_absent("k", b"1")
    assert fake.objects == {}


def test_a_conflict_that_nobody_won_is_tried_again(fake, store):
    store.put_if_absent("first", b"proven")
    times = itertools.count()

    def conflict(handler):
        if handler.command == "PUT" and next(times) < 3:
            return 409, "ConditionalRequestConflict"
        return None

    fake.peculiar = conflict
    etag = store.put_if_absent("k", b"1")
    times = itertools.count()
    store.put_if_unchanged("k", b"2", etag)
    times = itertools.count()
    with pytest.raises(AlreadyExistsError):
        store.put_if_absent("k", b"3")
    assert store.get("k").data == b"2"


@pytest.mark.parametrize("told_by", ["header", "body"])
def test_a_bucket_in_another_region_is_followed(fake, store, told_by):
    def only_here(handler):
        if "/eu-lab-1/s3/" in handler.headers["Authorization"]:
            return None
        if told_by == "header":
            return 301, b""
        return 400, b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-lab-1</Region></Error>"

    fake.peculiar = only_here
    fake.extra = {"x-amz-bucket-region": "eu-lab-1"} if told_by == "header" else {}
    store.put("k", b"1")
    assert store.get("k").data == b"1"
    assert sum("/us-east-1/" in authorization for _, _, authorization in fake.requests) <= 2


def test_a_bucket_in_an_unknown_region_is_told(fake, store):
    fake.peculiar = lambda handler: (301, b"")
    with pytest.raises(StoreError, match="not in region us-east-1: it is in another region") as caught:
        store.put("k", b"1")
    assert "--region" in caught.value.hint


def test_keys_that_mlctl_cannot_have_are_left_out_of_listings(fake, store):
    for key in ("me/a", "me/b//c", "me/d/../e", "me/f/g"):
        fake.objects[key] = (b"x", {})
    assert [item.key for item in list_objects(store, "")] == ["a", "f/g"]
    page = store.list_page("", limit=1)
    assert ([item.key for item in page.objects], page.token) == (["a"], "a")
    assert [item.key for item in store.list_page("", limit=1, token="a").objects] == ["f/g"]


def test_a_web_server_that_is_no_s3_is_told(fake, store):
    fake.peculiar = lambda handler: (200, b"<!DOCTYPE html><html><body>Welcome<br></body></html>")
    begun = time.monotonic()
    with pytest.raises(StoreError, match="does not answer as S3"):
        store.put("k", b"x")
    with pytest.raises(StoreError, match="does not answer as S3"):
        open_store("s3://ml/me", patience=1).list_page("x/")
    assert time.monotonic() - begun < 40
    fake.peculiar = lambda handler: (404, b"<html>Not found</html>")
    with pytest.raises(StoreError, match="does not answer as S3 does: 404"):
        store.list_page("x/")


def test_a_server_that_does_not_name_what_it_deleted(fake, store):
    for number in range(3):
        store.put(f"k{number}", b"x")
    fake.peculiar = lambda handler: (200, b"<DeleteResult></DeleteResult>") if handler.command == "POST" else None
    store.delete(["k0", "k1", "none"])
    assert [item.key for item in list_objects(store, "")] == ["k2"]


def test_what_a_server_repeats_of_the_keys_is_not_shown(fake, monkeypatch):
    secret = "verysecretkeyofmine"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    message = f"<Error><Code>AccessDenied</Code><Message>you sent {secret}</Message></Error>".encode()
    fake.peculiar = lambda handler: (403, message)
    store = open_store("s3://ml/me")
    for work in (lambda: store.get("k"), lambda: store.delete(["k"]), lambda: store.upload("k", bytes(17 << 20))):
        with pytest.raises(Exception, match="access denied") as caught:
            work()
        assert secret not in str(caught.value) + caught.value.hint + repr(caught.value)
    assert secret not in repr(vars(store)) + repr(store.clients.bulk)
