"""The keys to a bucket: found as boto3 finds them, renewed, and kept out of everything that is shown."""

import http.server
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.config import Context
from orchestrator.errors import NotFoundError, PermissionDeniedError
from orchestrator.store import open_store
from orchestrator.store.s3.address import address_of
from orchestrator.store.s3.credentials import Credentials
from orchestrator.store.s3.profiles import own_credentials, read_profile, save_profile

SECRET = "verysecretkeyofmine"


def credentials(profile: str = "") -> Credentials:
    context = Context(name="lab", store="s3://ml", endpoint="http://127.0.0.1:1", profile=profile)
    return Credentials(address_of("s3://ml", context))


def write_profile(tmp_path, text: str) -> None:
    (tmp_path / "aws-credentials").write_text(text)


def test_the_environment_goes_before_the_default_profile_but_not_before_a_named_one(monkeypatch, tmp_path):
    write_profile(
        tmp_path,
        "[default]\naws_access_key_id = D\naws_secret_access_key = d\n"
        "[lab]\naws_access_key_id = L\naws_secret_access_key = l\naws_session_token = t\n",
    )
    assert credentials().current() == ("D", "d", "")
    assert credentials("lab").current() == ("L", "l", "t")
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert credentials().current() == ("L", "l", "t")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "E")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "e")
    assert credentials().current() == ("E", "e", "")
    assert credentials().source == "the environment"
    assert credentials("lab").current() == ("L", "l", "t")
    assert credentials("lab").source == "profile lab"


def test_half_a_pair_is_told(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "E")
    with pytest.raises(PermissionDeniedError, match="AWS_SECRET_ACCESS_KEY is not set"):
        credentials()


def test_no_keys_at_all_are_told_with_what_to_do():
    with pytest.raises(PermissionDeniedError, match="no keys for s3://ml") as caught:
        open_store("s3://ml", Context(name="lab", store="s3://ml", endpoint="http://127.0.0.1:1")).get("k")
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


def test_mlctls_own_profiles(home):
    save_profile("one", "A", SECRET)
    save_profile("two", "B", SECRET)
    save_profile("one", "C", SECRET)
    assert own_credentials().stat().st_mode & 0o777 == 0o600
    assert read_profile("one").keys == ("C", SECRET, "")
    assert credentials("two").current() == ("B", SECRET, "")
    with pytest.raises(NotFoundError, match="known: one, two"):
        credentials("three")


def test_a_program_may_give_keys_that_expire(tmp_path):
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%FT%TZ")
    keys = {"Version": 1, "AccessKeyId": "P", "SecretAccessKey": SECRET, "SessionToken": "t", "Expiration": later}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    (tmp_path / "aws-config").write_text(f"[profile lab]\ncredential_process = cat {tmp_path / 'keys.json'}\n")
    found = credentials("lab")
    assert found.current() == ("P", SECRET, "t")
    given = found.provide()
    assert given["access_key_id"] == "P" and given["expires_at"] is not None


def test_a_program_that_fails_is_told(tmp_path):
    (tmp_path / "aws-config").write_text("[profile lab]\ncredential_process = false\n")
    with pytest.raises(PermissionDeniedError, match="no keys could be had from profile lab"):
        credentials("lab").current()


def test_a_web_identity_is_exchanged_for_keys(monkeypatch, tmp_path):
    answer = f"""<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
        <AccessKeyId>W</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>t</SessionToken>
        <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser><Arn>a</Arn>
        <AssumedRoleId>i</AssumedRoleId></AssumedRoleUser></AssumeRoleWithWebIdentityResult>
        </AssumeRoleWithWebIdentityResponse>"""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        (tmp_path / "token").write_text("the-pods-token")
        write_profile(tmp_path, "[default]\naws_access_key_id = D\naws_secret_access_key = d\n")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/trainer")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.server_port}")
        found = credentials()
        assert found.current() == ("W", SECRET, "t")
        server.shutdown()
    assert found.source == "assume-role-with-web-identity"
    assert "the-pods-token" in asked[0] and "trainer" in asked[0]


def test_texts_are_scrubbed(tmp_path):
    token = "averylongsessiontoken"
    write_profile(
        tmp_path, f"[lab]\naws_access_key_id = AKID\naws_secret_access_key = {SECRET}\naws_session_token = {token}\n"
    )
    signed = "http://h/k?X-Amz-Credential=AKID%2F2026&X-Amz-Signature=0123abcd&X-Amz-Security-Token=xyz&x=1"
    text = credentials("lab").scrub(f"sent {SECRET} and {token} to {signed}")
    for secret in (SECRET, token, "0123abcd", "AKID", "xyz"):
        assert secret not in text
    assert "x=1" in text
