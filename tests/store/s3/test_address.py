"""Where a bucket is: what the URL, the context, the environment and the profile say, and which of them wins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config import Context, add_context, context_for, use_context
from orchestrator.errors import MlctlError, NotFoundError, UsageError
from orchestrator.store import open_store
from orchestrator.store.s3.address import address_of


def context(store="s3://ml/team-a", name="lab", **settings) -> Context:
    return Context(name=name, store=store, **settings)


def test_aws_is_the_default():
    address = address_of("s3://ml/team-a/", None)
    assert (address.bucket, address.prefix, address.endpoint, address.region) == ("ml", "team-a/", "", "")
    assert (address.path_style, address.url) == (False, "s3://ml/team-a")
    assert address_of("s3://ml", None).prefix == ""


def test_the_context_goes_before_the_environment_and_that_before_the_profile(monkeypatch, tmp_path):
    (tmp_path / "aws-config").write_text(
        "[profile lab]\nregion = profile-1\nendpoint_url = http://profile:1\n[default]\nregion = default-1\n"
    )
    assert address_of("s3://ml", None).region == "default-1"
    settings = address_of("s3://ml", context(profile="lab"))
    assert (settings.region, settings.endpoint, settings.profile) == ("profile-1", "http://profile:1", "lab")
    monkeypatch.setenv("AWS_REGION", "environment-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://environment:1")
    settings = address_of("s3://ml", context(profile="lab"))
    assert (settings.region, settings.endpoint) == ("environment-1", "http://environment:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://environment-s3:1/")
    assert address_of("s3://ml", None).endpoint == "http://environment-s3:1"
    settings = address_of("s3://ml", context(profile="lab", region="context-1", endpoint="https://context"))
    assert (settings.region, settings.endpoint) == ("context-1", "https://context")


def test_the_endpoint_of_a_service_section(tmp_path):
    (tmp_path / "aws-config").write_text(
        "[profile lab]\nservices = local\n[services local]\ns3 =\n  endpoint_url = http://services:1\n"
    )
    assert address_of("s3://ml", context(profile="lab")).endpoint == "http://services:1"


@pytest.mark.parametrize(
    "url, settings, endpoint, path_style, host",
    [
        ("s3://ml", {"endpoint": "http://127.0.0.1:8333"}, "http://127.0.0.1:8333", True, "http://127.0.0.1:8333"),
        ("s3://ml", {"endpoint": "https://minio.lab", "path_style": False}, "https://minio.lab", False, "https://ml.minio.lab"),
        ("obs://ml", {"region": "cn-north-4"}, "https://obs.cn-north-4.myhuaweicloud.com", False,
         "https://ml.obs.cn-north-4.myhuaweicloud.com"),
        ("obs://ml/x", {"endpoint": "https://obs.cn-east-3.myhuaweicloud.com"}, "https://obs.cn-east-3.myhuaweicloud.com",
         False, "https://ml.obs.cn-east-3.myhuaweicloud.com"),
        ("s3://with.dots", {}, "", True, ""),
        ("s3://ml", {"path_style": True}, "", True, ""),
    ],
)  # fmt: skip
def test_styles(url, settings, endpoint, path_style, host):
    address = address_of(url, context(url, **settings))
    assert (address.endpoint, address.path_style, address.host_url) == (endpoint, path_style, host)


def test_the_region_of_obs_is_in_its_name():
    settings = {"endpoint": "https://obs.cn-east-3.myhuaweicloud.com"}
    assert address_of("obs://ml", context("obs://ml", **settings)).region == "cn-east-3"


@pytest.mark.parametrize(
    "url",
    ["s3://", "s3:///x", "s3://a", "s3://b_/../c", "s3://ml//x", "s3://ml/./x", "s3://ml?x=1", "s3://ml/x#y", "s3://-ml",
     "s3://ml:80/x", "obs://"],
)  # fmt: skip
def test_urls_that_are_none_are_refused(url):
    with pytest.raises(UsageError):
        open_store(url, context(url, endpoint="http://h"))


@pytest.mark.parametrize(
    "endpoint", ["localhost:8333", "ftp://h", "http://", "http://h/path", "http://h?x", "http://h:x"]
)
def test_endpoints_that_are_none_are_refused(endpoint):
    with pytest.raises(UsageError, match="is not an endpoint"):
        address_of("s3://ml", context(endpoint=endpoint))


@given(st.text("s3ob:/@?#.-%ab \\[]é", max_size=30))
def test_any_text_is_an_address_or_refused(text):
    try:
        address = address_of("s3://" + text, context(endpoint="http://h"))
    except MlctlError:
        return
    assert address.bucket in text and (not address.prefix or address.prefix.endswith("/"))


@pytest.mark.parametrize("url", ["s3://KEYID:verysecretkey@ml/x", "s3://verysecretkey@ml"])
def test_keys_in_an_address_are_refused_and_not_repeated(url):
    with pytest.raises(UsageError, match="must not hold keys") as caught:
        open_store(url, context())
    assert "verysecretkey" not in str(caught.value) + caught.value.hint
    with pytest.raises(UsageError, match="must not hold keys") as caught:
        address_of("s3://ml", context(endpoint="http://verysecretkey:x@host"))
    assert "verysecretkey" not in str(caught.value) + caught.value.hint


def test_what_is_named_must_be_there(tmp_path):
    with pytest.raises(NotFoundError, match="no CA bundle"):
        address_of("s3://ml", context(ca_bundle=str(tmp_path / "none.pem")))
    (tmp_path / "aws-config").write_text("[profile one]\nregion = x\n")
    (tmp_path / "aws-credentials").write_text("[two]\naws_access_key_id = x\n")
    with pytest.raises(NotFoundError, match="no profile 'lab'; known: one, two"):
        address_of("s3://ml", context(profile="lab"))
    with pytest.raises(UsageError, match="obs:// needs the region"):
        address_of("obs://ml", None)


def test_a_broken_file_of_profiles_is_named_and_not_quoted(tmp_path):
    (tmp_path / "aws-credentials").write_text("aws_secret_access_key = verysecretkey\n")
    with pytest.raises(UsageError, match="aws-credentials is not a valid file") as caught:
        address_of("s3://ml", None)
    assert "verysecretkey" not in str(caught.value)


def test_a_bucket_is_reached_by_the_context_it_belongs_to():
    assert context_for("s3://ml/team-a") is None
    lab = add_context(context(endpoint="http://lab:1"))
    assert context_for("s3://ml/team-a") == context_for("s3://ml") == context_for("s3://ml/team-b/x") == lab
    assert context_for("s3://other") is None
    b = add_context(context("s3://ml/team-b", "b", endpoint="http://b:1"))
    assert context_for("s3://ml/team-b/x") == b and context_for("s3://ml/team-a") == lab
    with pytest.raises(UsageError, match="several contexts: b, lab"):
        context_for("s3://ml/team-c")
    assert context_for("s3://ml/team-c", "b") == b
    use_context("b")
    assert context_for("s3://ml/team-a") == b  # the one in use, whatever others there are
    assert context_for("s3://other/x") == b  # another bucket of the same service


def test_contexts_keep_what_they_are_told_and_nothing_else(home):
    add_context(context(endpoint="http://lab:1", path_style=False))
    text = (home / "config.json").read_text()
    assert '"endpoint": "http://lab:1"' in text and '"path_style": false' in text
    assert "profile" not in text and "region" not in text
    with pytest.raises(UsageError, match="is a folder"):
        add_context(context("file:///x", "folder", profile="lab"))
