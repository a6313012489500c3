"""A bucket in memory that speaks as much S3 as is needed, with peculiarities of servers that cannot be run here."""

import hashlib
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from tests.store.proxy import Server

Peculiarity = Callable[["Handler"], tuple[int, str] | None]


class Bucket:
    """What the server has.

    Attributes:
        endpoint: Of the server.
        objects: Bytes and metadata by key.
        peculiar: Is asked first, and may return status and error code (or XML) of another answer.
        unquoted: Whether `If-Match` must come without quotes.
        extra: Headers of each answer.
        virtual: Whether the bucket's name stands in the host name rather than in the path.
        requests: Method, path and authorization of each request.
        hosts: Host, user agent and session token of each request.
    """

    def __init__(self) -> None:
        self.endpoint = ""
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.peculiar: Peculiarity = lambda handler: None
        self.unquoted = False
        self.extra: dict[str, str] = {}
        self.virtual = False
        self.requests: list[tuple[str, str, str]] = []
        self.hosts: list[tuple[str, str, str]] = []
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def do_PUT(self) -> None:
        if self._begin():
            return
        with self.bucket.lock:
            present = self.bucket.objects.get(self.key)
            etag = _etag(present[0]) if present else ""
            wanted = self.headers.get("If-Match")
            if wanted is not None and wanted != (etag.strip('"') if self.bucket.unquoted else etag):
                return self._answer(412, "PreconditionFailed")
            if self.headers.get("If-None-Match") == "*" and present:
                return self._answer(412, "PreconditionFailed")
            metadata = {name: value for name, value in self.headers.items() if name.lower().startswith("x-amz-meta-")}
            self.bucket.objects[self.key] = (self.body, metadata)
        return self._answer(200, headers={"ETag": _etag(self.body)})

    def do_GET(self) -> None:
        if self._begin():
            return
        if not self.key:
            return self._list()
        found = self.bucket.objects.get(self.key)
        if found is None:
            return self._answer(404, "NoSuchKey")
        data, metadata = found
        headers = {**metadata, "ETag": _etag(data), "Last-Modified": formatdate(usegmt=True)}
        if asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            start, end = int(asked[1]), min(int(asked[2]), len(data) - 1)
            if start >= len(data):
                return self._answer(416, "InvalidRange")
            return self._answer(
                206, data[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{len(data)}"}
            )
        return self._answer(200, data, headers)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        if not self._begin():
            keys = re.findall("<Key>([^<]+)</Key>", self.body.decode())
            for key in keys:
                self.bucket.objects.pop(key, None)
            rows = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            self._answer(200, f"<DeleteResult>{rows}</DeleteResult>".encode())

    def do_DELETE(self) -> None:
        if not self._begin():
            self.bucket.objects.pop(self.key, None)
            self._answer(204)

    def _begin(self) -> bool:
        parts = urlsplit(self.path)
        path = parts.path.lstrip("/")
        self.key = unquote(path if self.bucket.virtual else path.partition("/")[2])
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.bucket.requests.append((self.command, self.path, self.headers.get("Authorization", "")))
        host, agent, token = (self.headers.get(name, "") for name in ("Host", "User-Agent", "X-Amz-Security-Token"))
        self.bucket.hosts.append((host, agent, token))
        if strange := self.bucket.peculiar(self):
            self._answer(*strange)
            return True
        return False

    def _list(self) -> None:
        prefix, after = self.query.get("prefix", ""), self.query.get("start-after", "")
        keys = sorted(key for key in self.bucket.objects if key.startswith(prefix) and key > after)
        rows = [
            f"<Contents><Key>{key}</Key><Size>{len(self.bucket.objects[key][0])}</Size><ETag>e</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in keys
        ]
        start = '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        count = f"<KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>"
        self._answer(200, f"{start}{count}{''.join(rows)}</ListBucketResult>".encode())

    def _answer(self, status: int, body: bytes | str = b"", headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else f"<Error><Code>{body}</Code></Error>".encode()
        self.send_response(status)
        for name, value in {**(headers or {}), **self.bucket.extra}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""


@contextmanager
def open_fake(secure: ssl.SSLContext | None = None) -> Iterator[Bucket]:
    """Run a server inside the block; with a context it speaks TLS."""
    bucket = Bucket()
    handler = type("Bound", (Handler,), {"bucket": bucket})
    with Server(("127.0.0.1", 0), handler) as server:
        if secure:
            server.socket = secure.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        bucket.endpoint = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield bucket
        server.shutdown()


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
