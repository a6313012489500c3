"""A store in a bucket of any S3-compatible service.

ETags are the service's own. On most of them an ETag is the hash of the content, so an object that was replaced by
the same bytes keeps its ETag; nobody who read it has missed anything.
"""

import base64
import contextlib
import hashlib
import itertools
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from orchestrator.errors import StoreError, UsageError
from orchestrator.store.base import (
    CorruptObjectError,
    Object,
    ObjectInfo,
    ObjectNotFoundError,
    OnBytes,
    Page,
    Unfinished,
    ignore_bytes,
)
from orchestrator.store.parallel import as_mlctl_error
from orchestrator.store.rate import block_of
from orchestrator.store.s3.address import INTERNAL, Address
from orchestrator.store.s3.clients import WORKERS, Clients
from orchestrator.store.s3.conditional import SHA256, WRITERS, ConditionalWriter
from orchestrator.store.s3.faults import Fault
from orchestrator.store.s3.listing import list_page
from orchestrator.store.s3.retry import PATIENCE
from orchestrator.store.s3.workers import PART, ByteBudget, Workers

if TYPE_CHECKING:
    from obstore.store import S3Store as Bulk

ATTEMPTS = 3  # to get an object that arrives damaged or is replaced while it is read
MAX_KEY = 1024  # bytes; S3's own limit
STALE = 86_400.0  # seconds after which a probe was left by a process that was killed

# XML cannot carry control characters, and some servers take a backslash for a slash.
_REFUSED = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff\\]")
_serial = itertools.count()


class S3Store:
    """A store in a bucket.

    Args:
        address: Of the bucket.
        patience: Seconds that one operation may take with all its attempts.
    """

    def __init__(self, address: Address, *, patience: float = PATIENCE) -> None:
        self.clients = Clients(address, patience=patience)
        self._prefix = address.prefix
        self._writer = ConditionalWriter(self.clients)
        self._workers = Workers(WORKERS)
        self._budget = ByteBudget()

    @property
    def url(self) -> str:
        return self.clients.address.url

    @property
    def identity(self) -> str:
        return self.clients.address.identity

    def get(self, key: str) -> Object:
        whole = self._key(key)

        def work(store: "Bulk") -> tuple[bytes, str, str]:
            import obstore

            found = obstore.get(store, whole)
            data = found.bytes().to_bytes()
            recorded = found.attributes.get(SHA256)
            if recorded and recorded != hashlib.sha256(data).hexdigest():
                raise Fault("broken", text="other bytes came than were stored")
            return data, found.meta["e_tag"] or "", found.attributes.get(WRITERS, "")

        data, etag, writers = self.clients.call("read", key, work)
        if writers:
            self._writer.seen(whole, etag, writers)
        return Object(data=data, etag=etag)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        whole = self._key(key)

        def work(store: "Bulk") -> bytes:
            import obstore

            try:
                return obstore.get_range(store, whole, start=start, length=length).to_bytes()
            except obstore.exceptions.GenericError as error:
                if "status code: 416" in str(error):  # it ends before `start`
                    return b""
                raise

        if length <= 0:
            self._require(key)
            return b""
        return self.clients.call("read", key, work)

    def head(self, key: str) -> ObjectInfo | None:
        whole = self._key(key)

        def work(store: "Bulk") -> ObjectInfo:
            import obstore

            meta = obstore.head(store, whole)
            return ObjectInfo(key, meta["size"], meta["e_tag"] or "", meta["last_modified"].timestamp())

        try:
            return self.clients.call("read", key, work)
        except ObjectNotFoundError:
            return None

    def put(self, key: str, data: bytes) -> str:
        return self._put(self._key(key), data, hashlib.sha256(data).hexdigest())

    def put_if_absent(self, key: str, data: bytes) -> str:
        return self._writer.create(self._key(key), data)

    def put_if_unchanged(self, key: str, data: bytes, etag: str) -> str:
        return self._writer.replace(self._key(key), data, etag)

    def upload(self, key: str, source: Path | bytes, *, on_bytes: OnBytes = ignore_bytes) -> str:
        whole = self._key(key)
        with _local(source, "read"):
            if digest := self._upload_at_once(whole, source, on_bytes):
                return digest
            from orchestrator.store.s3.multipart import upload_parts

            return upload_parts(self.clients, self._workers, self._budget, whole, source, on_bytes)

    def download(self, key: str, path: Path, *, sha256: str | None = None, on_bytes: OnBytes = ignore_bytes) -> None:
        from orchestrator.store.s3.download import ReplacedError, fetch

        whole = self._key(key)
        partial = path.with_name(f".mlctl-{os.getpid()}-{next(_serial)}")
        digests: list[str] = []
        try:
            with _local(path, "write"):
                for _ in range(ATTEMPTS):
                    with contextlib.suppress(ReplacedError):
                        digests.append(fetch(self.clients, self._workers, self._budget, whole, partial, on_bytes))
                        if sha256 in (None, digests[-1]):
                            partial.replace(path)
                            return
        finally:
            partial.unlink(missing_ok=True)
        if not digests:
            raise StoreError(f"{key} in {self.url} is being replaced all the time", hint="run the same command again")
        if len(set(digests)) > 1:
            raise CorruptObjectError(
                f"{key} in {self.url} is changed on the way: read {len(digests)} times, it was not the same each time",
                hint="the network, or a proxy in it, damages what it carries: write https:// in the endpoint",
            )
        raise CorruptObjectError(
            f"{key} in {self.url} is damaged: its SHA-256 is {digests[0]}, recorded was {sha256}",
            hint="restore the object from a backup, or push or import the version anew",
        )

    def copy(self, source: str, target: str) -> None:
        from orchestrator.store.s3.copy import copy_object

        copy_object(self.clients, self._workers, self._key(source), self._key(target))

    def delete(self, keys: Iterable[str]) -> None:
        from orchestrator.store.s3.delete import delete_objects

        delete_objects(self.clients, [self._key(key) for key in keys])

    def list_page(self, prefix: str, *, delimiter: str = "", token: str = "", limit: int = 0) -> Page:
        if delimiter not in ("", "/"):
            raise ValueError(f"delimiter must be empty or '/', not {delimiter!r}")
        if prefix:
            self._key(prefix.removesuffix("/"))
        page = list_page(
            self.clients, self._prefix + prefix, delimiter=delimiter, token=token and self._prefix + token, limit=limit
        )
        start = len(self._prefix)
        return Page(
            objects=[
                msgspec.structs.replace(item, key=item.key[start:]) if start else item
                for item in page.objects
                if not item.key.startswith(INTERNAL, start) and len(item.key) > start + len(prefix)
            ],
            prefixes=[one[start:] for one in page.prefixes if not one.startswith(INTERNAL, start)],
            token=page.token[start:],
        )

    def list_unfinished(self) -> list[Unfinished]:
        from orchestrator.store.s3.unfinished import list_unfinished

        start = len(self._prefix)
        return [
            msgspec.structs.replace(upload, key=upload.key[start:])
            for upload in list_unfinished(self.clients, self._prefix)
        ]

    def give_up(self, upload: Unfinished) -> None:
        from orchestrator.store.s3.unfinished import give_up

        give_up(self.clients, self._key(upload.key), upload.id)

    def check_writable(self) -> None:
        from orchestrator.store.s3.delete import delete_objects

        probes = self._prefix + INTERNAL
        key = f"{probes}probe-{os.urandom(8).hex()}"
        self._put(key, b"", hashlib.sha256().hexdigest())
        left = list_page(self.clients, probes, delimiter="", token="", limit=0).objects
        old = [item.key for item in left if time.time() - item.modified > STALE]
        delete_objects(self.clients, [key, *old])

    def _upload_at_once(self, key: str, source: Path | bytes, on_bytes: OnBytes) -> str:
        """Send something by one request and return its SHA-256; empty if it is too large for that."""
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size > PART:
            return ""
        self._budget.take(size)
        try:
            data = source if isinstance(source, bytes) else _read(source)
            if len(data) > PART:  # it has just grown
                return ""
            digest = hashlib.sha256(data)
            if block_of(on_bytes, len(data)) < len(data):
                self._put_slowly(key, data, digest.digest(), on_bytes)
            else:
                on_bytes(len(data))
                self._put(key, data, digest.hexdigest())
            return digest.hexdigest()
        finally:
            self._budget.give(size)

    def _put(self, key: str, data: bytes, sha256: str) -> str:
        attributes = {SHA256: sha256}

        def work(store: "Bulk") -> str:
            import obstore

            return obstore.put(store, key, data, use_multipart=False, attributes=attributes)["e_tag"] or ""

        return self.clients.call("write", key, work)

    def _put_slowly(self, key: str, data: bytes, sha256: bytes, on_bytes: OnBytes) -> None:
        from orchestrator.store.s3.paced import body_of

        sent = {
            "Bucket": self.clients.address.bucket,
            "Key": key,
            "Metadata": {SHA256: sha256.hex()},
            "ChecksumSHA256": base64.b64encode(sha256).decode(),
        }
        self.clients.ask("write", key, lambda client: client.put_object(Body=body_of(data, on_bytes), **sent))

    def _require(self, key: str) -> None:
        if self.head(key) is None:
            raise ObjectNotFoundError(f"there is no object {key} in {self.url}")

    def _key(self, key: str) -> str:
        """Return the whole key. Raises UsageError if it could not be that of an object everywhere."""
        segments = key.split("/")
        if any(segment in ("", ".", "..") for segment in segments) or segments[0] + "/" == INTERNAL:
            raise UsageError(f"{key!r} cannot be the key of an object")
        if _REFUSED.search(key):
            raise UsageError(f"{key!r} has a character that a bucket's keys cannot have", hint="rename the file")
        whole = self._prefix + key
        try:
            length = len(whole.encode())
        except UnicodeEncodeError:
            raise UsageError(f"{key!r} is not valid Unicode", hint="rename the file") from None
        if length > MAX_KEY:
            raise UsageError(f"{key!r} has {length} bytes, a bucket's keys at most {MAX_KEY}", hint="use shorter names")
        return whole


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(PART + 1)


@contextlib.contextmanager
def _local(path: Path | bytes, action: str) -> Iterator[None]:
    """Tell what the file system refuses."""
    try:
        yield
    except OSError as error:
        raise as_mlctl_error(error, f"cannot {action} {path!s}") from error
