"""How clusters are reached: what a kubeconfig says is understood as the official client understands it."""

import base64
import json
import os
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.backends.kubernetes import kubeconfig
from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.kubeconfig import connect
from orchestrator.config import Context
from orchestrator.errors import NotFoundError, PermissionDeniedError, UsageError
from tests.kubernetes.standin import Standin
from tests.kubernetes.standin.standin import CERTIFICATE

USER = Path(__file__).with_name("user.pem")  # signed by itself
PEM = CERTIFICATE.read_bytes()
DATA = base64.b64encode(PEM).decode()


def context(path: Path | str, name: str = "") -> Context:
    return Context(name="lab", store="s3://none", kubeconfig=str(path), kube_context=name)


def write(path: Path, *, user: dict | None = None, name: str = "lab", current: str = "", **cluster: object) -> Path:
    """Write a kubeconfig with one context."""
    cluster = {"server": "https://10.0.0.1:6443", **cluster}
    content = {
        "clusters": [{"name": f"{name}-cluster", "cluster": cluster}],
        "users": [{"name": f"{name}-user", "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": f"{name}-cluster", "user": f"{name}-user"}}],
        "current-context": current or name,
    }
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[Standin]:
    (tmp_path / "standin").mkdir()
    with Standin(tmp_path / "standin") as found:
        yield found


@pytest.mark.parametrize(
    ("user", "cluster"),
    [
        ({"token": "secret"}, {"certificate-authority-data": DATA}),
        ({"tokenFile": "keys/token"}, {"certificate-authority": "keys/ca.pem"}),
        ({}, {"insecure-skip-tls-verify": True, "server": "https://lab/k8s/clusters/c-1/"}),
        ({"client-certificate": "keys/ca.pem", "client-key": "keys/ca.pem"}, {"tls-server-name": "api.lab"}),
        ({"username": "ann", "password": "secret"}, {"server": "http://localhost:8080"}),
    ],
    ids=["data", "files", "insecure", "certificate", "password"],
)
def test_it_means_what_the_official_client_takes_it_for(tmp_path: Path, user: dict, cluster: dict) -> None:
    from kubernetes import client, config

    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "token").write_text("from-a-file\n")
    (tmp_path / "keys" / "ca.pem").write_bytes(PEM)
    path = write(tmp_path / "config", user=user, **cluster)
    official = client.Configuration()
    config.load_kube_config(str(path), client_configuration=official)
    ours = connect(context(path))
    assert ours.server == official.host
    assert ours.server_name == (official.tls_server_name or "")
    assert (
        ours.authorization().strip() == (official.auth_settings().get("BearerToken") or {"value": ""})["value"].strip()
        or ours.authorization() == official.get_basic_auth_token()
    )
    if ours.tls:
        assert (ours.tls.verify_mode is ssl.CERT_NONE) is (official.verify_ssl is False)


def test_of_several_files_the_first_that_has_a_name_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write(tmp_path / "first", user={"token": "1"}, current="other")
    second = write(tmp_path / "second", user={"token": "2"})
    other = write(tmp_path / "other", name="other", user={"token": "3"})
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, (first, tmp_path / "none", second, other))))
    assert connect(context("")).authorization() == "Bearer 3"
    assert connect(context("", "lab")).authorization() == "Bearer 1"
    with pytest.raises(NotFoundError, match="has no context 'labb'; did you mean lab"):
        connect(context("", "labb"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no current-context"),
        ("[]", "is not valid"),
        ("clusters: [}", "is not valid"),
        ("contexts: [{name: a, context: {cluster: b}}]\ncurrent-context: a", "'b' is missing"),
        ("contexts: [{name: a, context: 3}]\ncurrent-context: a", "is not valid"),
    ],
)
def test_one_that_is_not_valid_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(UsageError, match=told):
        connect(context(tmp_path / "config"))


def test_certificates_that_are_none_are_told(tmp_path: Path) -> None:
    for cluster in ({"certificate-authority": "none.pem"}, {"certificate-authority-data": "AAAA"}):
        with pytest.raises(UsageError, match="is not valid"):
            connect(context(write(tmp_path / "config", **cluster)))


def test_in_a_pod_it_is_the_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", tmp_path)
    (tmp_path / "ca.crt").write_bytes(PEM)
    (tmp_path / "token").write_text("old")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    found = connect(context(""))
    assert found.server == "https://[fd00::1]:443"
    (tmp_path / "token").write_text("renewed")
    assert found.authorization() == "Bearer renewed"


def test_a_login_program_is_run(standin: Standin, tmp_path: Path) -> None:
    program, version = tmp_path / "login", "client.authentication.k8s.io/v1"
    told = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": standin.token}}
    program.write_text(f"#!/bin/sh\necho '{json.dumps(told)}'\n")
    program.chmod(0o755)
    wanted = {"apiVersion": version, "command": str(program), "interactiveMode": "Never"}
    cluster = {"server": standin.url, "certificate-authority": str(CERTIFICATE)}
    path = write(tmp_path / "config", user={"exec": wanted}, **cluster)
    assert Api(context(path)).list("/api/v1/namespaces")
    program.write_text("#!/bin/sh\necho no session >&2\nexit 1\n")
    with pytest.raises(PermissionDeniedError, match="gave no credentials"):
        Api(context(path)).list("/api/v1/namespaces")


def test_a_users_certificate_is_shown(tmp_path: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(CERTIFICATE)
    server.load_verify_locations(USER)
    server.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))
    data = base64.b64encode(USER.read_bytes()).decode()
    shown: list[object] = []

    def answer() -> None:
        connection = server.wrap_socket(listener.accept()[0], server_side=True)
        connection.recv(1 << 16)
        shown.append(connection.getpeercert())
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"items":[]}')
        connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    path = write(
        tmp_path / "config",
        user={"client-certificate-data": data, "client-key-data": data},
        server=f"https://127.0.0.1:{listener.getsockname()[1]}",
        **{"certificate-authority-data": DATA},
    )
    assert Api(context(path)).list("/api/v1/pods") == []
    thread.join()
    listener.close()
    assert shown and shown[0]


class Proxy:
    """An HTTP proxy that leads each connection to where it wants to go."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            client = self._listener.accept()[0]
            head = client.recv(1 << 16)
            self.asked.append(head)
            found = re.match(rb"CONNECT ([^:]+):(\d+) ", head)
            assert found
            server = socket.create_connection((found[1].decode(), int(found[2])))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(1 << 16):
            target.sendall(data)


def test_a_proxy_is_gone_through(standin: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = standin.kubeconfig()
    proxy = Proxy()
    content = yaml.safe_load(plain.read_text())
    content["clusters"][0]["cluster"]["proxy-url"] = f"http://ann:secret@{proxy.address}"
    (tmp_path / "proxied").write_text(yaml.safe_dump(content))
    assert Api(context(tmp_path / "proxied")).list("/api/v1/namespaces")
    assert b"Proxy-Authorization: Basic YW5uOnNlY3JldA==" in proxy.asked[0]
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    assert Api(context(plain)).list("/api/v1/namespaces")
    assert len(proxy.asked) == 2
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert Api(context(plain)).list("/api/v1/namespaces")
    assert len(proxy.asked) == 2


def test_a_connection_that_the_server_has_closed_is_made_anew_at_once(standin: Standin) -> None:
    api = Api(context(standin.kubeconfig()), patience=0)
    for reset in (False, True):
        assert api.list("/api/v1/namespaces")
        standin.drop_connections(reset=reset)
    assert api.list("/api/v1/namespaces")


def test_a_server_that_is_none_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: listener.accept()[0].sendall(b"SSH-2.0-OpenSSH_9.2\r\n"))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        path = write(tmp_path / "config", server=url, user={"token": "x"})
        with pytest.raises(Exception, match="cannot be reached") as caught:
            Api(context(path), patience=0).get("/version")
        thread.join()
    assert "kubectl" in caught.value.hint


def test_what_is_asked_of_a_service_stays_as_it_is(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def answer(listener: socket.socket) -> None:
        connection = listener.accept()[0]
        got = b""
        while not got.endswith(b"{}"):  # head and body come one after the other
            got += connection.recv(1 << 16)
        asked.append(got)
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nX-Kind: page\r\n\r\nno")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/k8s"
        api = Api(context(write(tmp_path / "config", server=url, user={"token": "x"})))
        reply = api.proxy("POST", "/a/services/s:http/proxy/tags?run=a%20b&n=1", b"{}", {"Accept": "*/*"})
        thread.join()
    assert asked[0].startswith(b"POST /k8s/a/services/s:http/proxy/tags?run=a%20b&n=1 HTTP/1.1\r\n")
    assert b"Authorization: Bearer x\r\n" in asked[0] and asked[0].endswith(b"\r\n\r\n{}")
    assert (reply.status, reply.headers["x-kind"], reply.data) == (404, "page", b"no")
