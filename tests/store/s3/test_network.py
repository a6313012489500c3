"""The ways to a bucket: proxies, host names with the bucket in them, AWS's own hosts and regions, temporary keys."""

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.config import Context
from orchestrator.errors import StoreError
from orchestrator.store import open_store
from orchestrator.store.s3 import S3Store
from tests.buckets import Bucket
from tests.store.s3 import fake
from tests.store.s3.network import certificate, forward, tls

LOGIN = "me:pr0xyPassword"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
REGIONS = ("us-east-1", "eu-central-1")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def open_at(url: str, endpoint: str = "", **settings) -> S3Store:
    store = open_store(url, Context(name="x", store=url, endpoint=endpoint, **settings))
    assert isinstance(store, S3Store)
    return store


def use_both_clients(store: S3Store) -> None:
    """Have obstore write and boto3 read, and the other way round."""
    address = store.clients.address
    store.put("one", b"1")
    place = {"Bucket": address.bucket}
    read = store.clients.ask("read", "one", lambda client: client.get_object(Key=address.prefix + "one", **place))
    assert read["Body"].read() == b"1"
    place["ChecksumSHA256"] = base64.b64encode(hashlib.sha256(b"2").digest()).decode()
    store.clients.ask("write", "two", lambda client: client.put_object(Key=address.prefix + "two", Body=b"2", **place))
    assert store.get("two").data == b"2"


def test_both_clients_use_the_proxy_of_the_environment(own_s3: Bucket, bucket_url, monkeypatch):
    with forward(own_s3.endpoint, login=LOGIN) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{LOGIN}@127.0.0.1:{proxy.port}")
        use_both_clients(open_at(bucket_url, "http://s3.lab.invalid:8333"))
        assert len(proxy.asked) >= 2  # each client keeps its connection
        assert all(" http://s3.lab.invalid:8333/" in line for line in proxy.asked)
        seen = len(proxy.asked)
        monkeypatch.setenv("NO_PROXY", "other.lab,127.0.0.1")
        use_both_clients(open_at(bucket_url, own_s3.endpoint))
        assert len(proxy.asked) == seen


def test_both_clients_use_the_proxy_for_https(own_s3: Bucket, bucket_url, monkeypatch, tmp_path):
    name = "DNS:s3.lab.invalid"
    with tls(own_s3.endpoint, tmp_path, name=name) as (endpoint, authority), forward(endpoint, login=LOGIN) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{LOGIN}@127.0.0.1:{proxy.port}")
        use_both_clients(open_at(bucket_url, "https://s3.lab.invalid", ca_bundle=str(authority)))
        assert len(proxy.asked) >= 2
        assert all(line.startswith("CONNECT s3.lab.invalid:443 ") for line in proxy.asked)


@pytest.mark.parametrize("secure", [False, True])
def test_a_proxy_that_refuses_or_is_gone_is_named_without_its_password(own_s3, bucket_url, monkeypatch, secure):
    endpoint = f"http{'s' * secure}://s3.lab.invalid"
    works: list[Callable[[S3Store], object]] = [
        lambda store: store.get("k"),
        lambda store: store.clients.ask("read", "k", lambda client: client.list_buckets()),
    ]
    with forward(own_s3.endpoint, login="another:password") as proxy:
        for port in (proxy.port, 1):
            monkeypatch.setenv("HTTPS_PROXY" if secure else "HTTP_PROXY", f"http://{LOGIN}@127.0.0.1:{port}")
            for work in works:
                begun = time.monotonic()
                with pytest.raises(StoreError) as caught:
                    work(open_at(bucket_url, endpoint))
                assert time.monotonic() - begun < 40
                told = caught.value.message + caught.value.hint
                assert "proxy" in told and f"127.0.0.1:{port}" in told
                assert LOGIN.partition(":")[2] not in told + repr(caught.value)


def test_a_proxy_that_finds_no_endpoint_is_not_waited_for(monkeypatch):
    """What answers is the proxy, and there is no telling whether anything is behind it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    with fake.open_fake() as gateway:
        gateway.peculiar = lambda handler: (502, b"<html>no such host</html>")
        monkeypatch.setenv("HTTP_PROXY", gateway.endpoint)
        begun = time.monotonic()
        with pytest.raises(StoreError, match="502"):
            open_at("s3://team/me", "http://s3.lab.invalid").get("k")
        assert time.monotonic() - begun < 40


def test_the_bucket_in_the_host_name(own_s3: Bucket, bucket_url, monkeypatch):
    port = own_s3.endpoint.rpartition(":")[2]
    with forward(own_s3.endpoint) as proxy:  # which finds hosts that this machine need not know
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        store = open_at(bucket_url, f"http://localhost:{port}", path_style=False)
        use_both_clients(store)
        large = bytes(6 << 20)
        store.upload("large", large)
        assert store.get("large").data == large
        assert sorted(item.key for item in store.list_page("").objects) == ["large", "one", "two"]
        store.delete(["one", "two", "large"])
        assert all(f" http://{own_s3.name}.localhost:{port}/" in line for line in proxy.asked)


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fake.Bucket]:
    """Give what answers in AWS's stead, by its own names, through a proxy; the bucket is in the second region."""
    names = [f"DNS:{star}s3.{region}.amazonaws.com" for region in REGIONS for star in ("", "*.")]
    names += ["DNS:*.s3.amazonaws.com", "DNS:sts.amazonaws.com", *(f"DNS:sts.{one}.amazonaws.com" for one in REGIONS)]
    context, authority = certificate(tmp_path, *names)
    with fake.open_fake(context) as server, forward(server.endpoint) as proxy:
        server.virtual = True
        server.peculiar = in_the_second_region
        server.extra = {"x-amz-bucket-region": REGIONS[1]}
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
        yield server


def in_the_second_region(handler: fake.Handler) -> tuple[int, str] | None:
    here = f".s3.{REGIONS[1]}.amazonaws.com" in handler.headers["Host"]
    if here and f"/{REGIONS[1]}/s3/" in handler.headers["Authorization"]:
        return None
    return 301, "PermanentRedirect"


@pytest.mark.parametrize("first", ["obstore", "boto3"])
def test_a_bucket_of_aws_in_another_region_is_found(aws: fake.Bucket, monkeypatch, first):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    store = open_at("s3://team/me")
    if first == "boto3":
        store.clients.ask("list", "", lambda client: client.list_objects_v2(Bucket="team"))
    use_both_clients(store)
    assert store.clients.address.region == REGIONS[1]
    aws.hosts.clear()
    use_both_clients(store)
    assert {host for host, _, _ in aws.hosts} == {f"team.s3.{REGIONS[1]}.amazonaws.com"}


def test_a_bucket_of_aws_whose_region_is_not_told(aws: fake.Bucket, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    aws.extra = {}
    with pytest.raises(StoreError, match="not in region us-east-1: it is in another region") as caught:
        open_at("s3://team/me").get("k")
    assert "--region" in caught.value.hint


@contextmanager
def identities(aws: fake.Bucket) -> Iterator[list[timedelta]]:
    """Have the server give keys W1, W2, ... for a web identity, valid for as long as the list says."""
    valid: list[timedelta] = []

    def serve(handler: fake.Handler) -> tuple[int, str] | None:
        if not handler.headers["Host"].startswith("sts."):
            return in_the_second_region(handler)
        assert b"the-pods-token" in handler.body and b"trainer" in handler.body
        number = sum(host.startswith("sts.") for host, _, _ in aws.hosts)
        until = (datetime.now(UTC) + valid[min(number, len(valid)) - 1]).strftime("%FT%TZ")
        keys = f"<AccessKeyId>W{number}</AccessKeyId><SecretAccessKey>secret{number}</SecretAccessKey>"
        keys += f"<SessionToken>token{number}</SessionToken><Expiration>{until}</Expiration>"
        result = f"<Credentials>{keys}</Credentials><AssumedRoleUser><Arn>a</Arn><AssumedRoleId>i</AssumedRoleId>"
        result = f"<AssumeRoleWithWebIdentityResult>{result}</AssumedRoleUser></AssumeRoleWithWebIdentityResult>"
        answer = f"<AssumeRoleWithWebIdentityResponse>{result}</AssumeRoleWithWebIdentityResponse>"
        return 200, answer.encode()  # type: ignore[return-value]

    aws.peculiar = serve
    yield valid


def signed_by(aws: fake.Bucket, client: str) -> list[tuple[str, str]]:
    """Return the access key and session token of each request of a client to the bucket, the latest last."""
    both = zip(aws.requests, aws.hosts, strict=True)
    wanted = [(line, told) for line, told in both if ".s3." in told[0] and ("Boto3" in told[1]) == (client == "boto3")]
    return [(re.findall(r"Credential=([^/]+)/", line[2])[0], told[2]) for line, told in wanted]


def test_a_pods_identity_gives_both_clients_the_same_keys_and_new_ones_in_time(aws, monkeypatch, tmp_path):
    (tmp_path / "token").write_text("the-pods-token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/trainer")
    monkeypatch.setenv("AWS_REGION", REGIONS[1])
    with identities(aws) as valid:
        valid += [timedelta(hours=1)]
        store = open_at("s3://team/me")
        use_both_clients(store)
        assert store.clients.credentials.source == "assume-role-with-web-identity"
        assert set(signed_by(aws, "obstore")) == set(signed_by(aws, "boto3")) == {("W1", "token1")}
        assert sum(host.startswith("sts.") for host, _, _ in aws.hosts) == 1
        # Keys that are about to expire are exchanged before they do, also in the midst of things.
        aws.hosts.clear()
        aws.requests.clear()
        valid[:] = [timedelta(seconds=60), timedelta(seconds=60), timedelta(hours=1)]
        store = open_at("s3://team/me")
        use_both_clients(store)
        use_both_clients(store)
        assert signed_by(aws, "obstore")[-1] == signed_by(aws, "boto3")[-1] == ("W3", "token3")
        assert store.clients.credentials.scrub("secret3 token3") == "**** ****"


def test_a_session_token_is_sent_by_both_clients(aws, monkeypatch, tmp_path):
    (tmp_path / "aws-credentials").write_text(
        "[lab]\naws_access_key_id = L\naws_secret_access_key = l\naws_session_token = temporary\n"
    )
    (tmp_path / "aws-config").write_text(f"[profile lab]\nregion = {REGIONS[1]}\n")
    use_both_clients(open_at("s3://team/me", profile="lab"))
    assert set(signed_by(aws, "obstore")) == set(signed_by(aws, "boto3")) == {("L", "temporary")}


def test_a_profile_that_assumes_a_role_by_a_program(aws, monkeypatch, tmp_path):
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%FT%TZ")
    keys = {"Version": 1, "AccessKeyId": "P", "SecretAccessKey": "p", "SessionToken": "t", "Expiration": later}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    (tmp_path / "aws-config").write_text(
        f"[profile lab]\nregion = {REGIONS[1]}\ncredential_process = cat {tmp_path / 'keys.json'}\n"
    )
    use_both_clients(open_at("s3://team/me", profile="lab"))
    assert set(signed_by(aws, "obstore")) == set(signed_by(aws, "boto3")) == {("P", "t")}
