"""Upload a large file in parts, several at once, and go on after a kill where it stopped.

The file is read once, in order: each block is hashed for the whole, handed to a worker, hashed for its part, and
sent with that hash, which the bucket checks. What an earlier process has sent is read and compared, but not sent.
"""

import base64
import hashlib
import os
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from orchestrator.store.base import OnBytes
from orchestrator.store.parallel import FileError
from orchestrator.store.s3.clients import Clients
from orchestrator.store.s3.faults import Fault, boto_faults
from orchestrator.store.s3.journal import Journal, Part, Subject, stale_uploads
from orchestrator.store.s3.paced import body_of
from orchestrator.store.s3.workers import PART, ByteBudget, Workers

MAX_PARTS = 10_000  # S3's own limit
MARK = "mlctl-upload"  # metadata of the object: which upload made it


def upload_parts(
    clients: Clients, workers: Workers, budget: ByteBudget, key: str, source: Path | bytes, on_bytes: OnBytes
) -> str:
    """Create or replace an object from a file or from memory, and return the SHA-256 (hex) of what was stored.

    Args:
        clients: Of the bucket.
        workers: Who sends.
        budget: Memory for parts in flight.
        key: Whole key of the object.
        source: The file, or the bytes.
        on_bytes: Told of each part before it is sent.

    Raises:
        PermissionDeniedError, StoreError: The bucket refuses or fails; a file goes on where it stopped.
        OSError: The file cannot be read.
    """
    with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
        subject = _subject(clients.address.identity, key, source, stream)
        journal = Journal(subject)
        upload = _Upload(clients, workers, budget, journal, subject, on_bytes)
        done = False
        try:
            if isinstance(source, Path) and journal.open():
                upload.give_up_stale()
            upload.begin()
            digest, count = upload.send(stream)
            upload.complete(count)
            done = True
        finally:
            journal.close(done=done)
    return digest


def _subject(identity: str, key: str, source: Path | bytes, stream: IO[bytes]) -> Subject:
    if isinstance(source, bytes):
        path, size, mtime_ns, inode = "", len(source), 0, 0
    else:
        info = os.fstat(stream.fileno())
        path = str(source.absolute()).encode(errors="backslashreplace").decode()
        size, mtime_ns, inode = info.st_size, info.st_mtime_ns, info.st_ino
    return Subject(identity, key, path, size, mtime_ns, inode, part_size(size))


def part_size(size: int) -> int:
    """Return the bytes per part for a file of this size: whole MiB, so that MAX_PARTS are enough."""
    return max(PART, -(-size // (MAX_PARTS << 20)) << 20)


def complete(clients: Clients, key: str, upload: str, mark: str, parts: list[dict[str, Any]]) -> None:
    """Make the object of an upload's parts appear.

    Args:
        clients: Of the bucket.
        key: Whole key of the object.
        upload: Id of the upload.
        mark: That the upload was begun with, as MARK in its metadata.
        parts: As S3 wants them listed.

    Raises:
        PermissionDeniedError, StoreError: The bucket refuses or fails.
    """
    place = {"Bucket": clients.address.bucket, "Key": key}

    def is_ours() -> bool:
        try:
            with boto_faults():
                return bool(clients.control.head_object(**place)["Metadata"].get(MARK) == mark)
        except Fault as fault:
            if fault.retriable:
                raise
            return False

    def once() -> None:
        try:
            with boto_faults():
                clients.control.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})
        except Fault as fault:
            # If an answer was lost, the upload is over and the object is there.
            if fault.code != "NoSuchUpload" or not is_ours():
                raise

    clients.attempt("write", key, once)


class _Upload:
    def __init__(
        self,
        clients: Clients,
        workers: Workers,
        budget: ByteBudget,
        journal: Journal,
        subject: Subject,
        on_bytes: OnBytes,
    ) -> None:
        self._clients = clients
        self._workers = workers
        self._budget = budget
        self._journal = journal
        self._key = subject.key
        self._part_size = subject.part_size
        self._object = {"Bucket": clients.address.bucket, "Key": subject.key}
        self._identity = subject.identity
        self._on_bytes = on_bytes
        self._kept: dict[int, Part] = {}
        self._failed = threading.Event()

    def give_up_stale(self) -> None:
        """Free the space of uploads that nobody has gone on with."""
        for key, upload in stale_uploads(self._identity):
            # Whatever is wrong with them is no reason not to upload something else.
            with suppress(Fault), boto_faults():
                self._clients.control.abort_multipart_upload(
                    Bucket=self._clients.address.bucket, Key=key, UploadId=upload
                )

    def begin(self) -> None:
        """Go on with what is there of an earlier attempt, or start anew."""
        there = self._parts_there() if self._journal.upload else None
        if there is not None:
            parts = self._journal.parts.values()
            self._kept = {part.number: part for part in parts if there.get(part.number) == (part.etag, part.size)}
            return
        mark = os.urandom(8).hex()
        settings = {**self._object, "ChecksumAlgorithm": "SHA256", "Metadata": {MARK: mark}}
        made = self._clients.ask("write", self._key, lambda client: client.create_multipart_upload(**settings))
        self._journal.begin(made["UploadId"], mark)

    def send(self, file: IO[bytes]) -> tuple[str, int]:
        """Send all parts that are not there; return the SHA-256 of the whole and the number of parts."""
        digest = hashlib.sha256()
        sending: list[Future[None]] = []
        try:
            while not self._failed.is_set():
                self._budget.take(self._part_size)
                block = self._read(file)
                if not block:
                    break
                digest.update(block)
                sending.append(self._workers.submit(partial(self._send, len(sending) + 1, block)))
                del block  # the worker's reference is the only one
            for future in sending:
                future.result()
        finally:
            for future in sending:
                if future.cancel():
                    self._budget.give(self._part_size)
        if not sending:
            raise FileError("it is being written to", hint="run the same command again when nothing changes the folder")
        return digest.hexdigest(), len(sending)

    def complete(self, count: int) -> None:
        """Make the object of so many parts appear."""
        parts = [self._journal.parts[number] for number in range(1, count + 1)]
        listed = [{"PartNumber": part.number, "ETag": part.etag, "ChecksumSHA256": part.sha256} for part in parts]
        complete(self._clients, self._key, self._journal.upload, self._journal.mark, listed)

    def _read(self, file: IO[bytes]) -> bytes:
        """Return the next block, whose memory was taken; gives it back if there is none."""
        block = b""
        try:
            block = file.read(self._part_size)
        finally:
            if not block:
                self._budget.give(self._part_size)
        return block

    def _send(self, number: int, block: bytes) -> None:
        try:
            sha256 = base64.b64encode(hashlib.sha256(block).digest()).decode()
            kept = self._kept.get(number)
            if kept and (kept.sha256, kept.size) == (sha256, len(block)):
                return
            part = {**self._object, "UploadId": self._journal.upload, "PartNumber": number, "ChecksumSHA256": sha256}
            answer = self._clients.ask(
                "write", self._key, lambda client: client.upload_part(Body=body_of(block, self._on_bytes), **part)
            )
            self._journal.add(Part(number, answer["ETag"], sha256, len(block)))
        except BaseException:
            self._failed.set()
            raise
        finally:
            self._budget.give(self._part_size)

    def _parts_there(self) -> dict[int, tuple[str, int]] | None:
        """Return ETag and size of the parts that the bucket has, by number; None if it knows no such upload."""
        there: dict[int, tuple[str, int]] = {}
        after, more = 0, True
        while more:
            page = self._clients.attempt("read", self._key, partial(self._list_parts, after))
            if page is None:
                return None
            there |= {part["PartNumber"]: (part["ETag"], part["Size"]) for part in page.get("Parts", [])}
            after, more = page.get("NextPartNumberMarker", 0), page["IsTruncated"]
        return there

    def _list_parts(self, after: int) -> dict[str, Any] | None:
        try:
            with boto_faults():
                page: dict[str, Any] = self._clients.control.list_parts(
                    **self._object, UploadId=self._journal.upload, PartNumberMarker=after
                )
        except Fault as fault:
            if fault.code == "NoSuchUpload":
                return None
            raise
        return page
