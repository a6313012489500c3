"""Does a store do all that mlctl needs? One check after the other, each with what to do where it fails."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from operator import methodcaller
from typing import Literal

import msgspec

from orchestrator.errors import MlctlError, StoreError
from orchestrator.store.base import AlreadyExistsError, ChangedError, Store, list_folders, list_objects

Level = Literal["ok", "warn", "fail"]

RANGE = (1000, 500)  # start and length in bytes
SIZE = 4096  # bytes of the object that is written
PART = 5 << 20  # bytes; S3's least for a part that is not the last
NAMES = ("a b+c", "ü%20é", "folder/#1")
NO_SHA256 = "A" * 43 + "="  # no bytes have it
SERVER_ERROR = 500  # HTTP status
SKEW_WARN = 30.0  # seconds
SKEW_FAIL = 900.0  # seconds; beyond it S3 refuses a signature


class Check(msgspec.Struct, frozen=True):
    """How one check came out.

    Attributes:
        level: `ok`, `warn` or `fail`.
        subject: What was checked.
        message: What was found.
        hint: What to do about it.
    """

    level: Level
    subject: str
    message: str
    hint: str = ""


class _DoubtError(MlctlError):
    """Something works, but not as well as it should."""


def check_store(store: Store) -> Iterator[Check]:
    """Yield what each check finds; what is written for it is deleted at the end.

    If the store cannot be reached at all, the other checks are left out.
    """
    checks = _Checks(store)
    steps: dict[str, Callable[[], str]] = {"access": checks.access, "write": checks.write, "range": checks.range}
    steps["conditional writes"] = checks.conditional_writes
    if checks.bucket:
        steps |= {"multipart": checks.multipart, "checksums": checks.checksums}
    steps |= {"list": checks.list, "delete": checks.delete}
    if checks.bucket:
        steps["clock"] = checks.clock
    for subject, step in steps.items():
        try:
            yield Check("ok", subject, step())
        except _DoubtError as doubt:
            yield Check("warn", subject, doubt.message, doubt.hint)
        except MlctlError as error:
            yield Check("fail", subject, error.message, error.hint)
            if subject == "access":
                return


class _Checks:
    """The checks of one store, in an own prefix."""

    def __init__(self, store: Store) -> None:
        from orchestrator.store.s3 import S3Store

        self.bucket = store if isinstance(store, S3Store) else None
        self._store = store
        self._prefix = f"check-{os.urandom(8).hex()}/"
        self._key = self._prefix + "object"
        self._data = os.urandom(SIZE)

    def access(self) -> str:
        """Look for anything."""
        self._store.list_page(self._prefix, limit=1)
        if self.bucket is None:
            return self._store.url
        address, keys = self.bucket.clients.address, self.bucket.clients.credentials
        style = "path" if address.path_style else "virtual-host"
        region = f", region {address.region}" if address.region else ""
        return f"{address.url} at {address.place}{region}, {style} style, with keys from {keys.source}"

    def write(self) -> str:
        """Create, read and replace an object."""
        self._store.put(self._key, b"before")
        self._store.put(self._key, self._data)
        if self._store.get(self._key).data != self._data:
            raise StoreError("what was written is not what is read", hint="use another store")
        return "an object is written, replaced and read back"

    def range(self) -> str:
        """Read a piece of an object."""
        start, length = RANGE
        if self._store.get_range(self._key, start, length) != self._data[start : start + length]:
            raise StoreError("a range is not what was written there", hint="use another store")
        return "a piece of an object can be read"

    def conditional_writes(self) -> str:
        """Have writers race."""
        if self.bucket:
            from orchestrator.store.s3.proof import RACERS, prove_again

            prove_again(self.bucket.clients)
            return f"of {RACERS} writers at once one creates an object, and one replaces it"
        key = self._prefix + "condition"
        first = self._store.put_if_absent(key, b"first")
        with suppress(AlreadyExistsError):
            self._store.put_if_absent(key, b"second")
            raise StoreError("an object was created twice", hint="use another file system")
        self._store.put_if_unchanged(key, b"third", first)
        with suppress(ChangedError):
            self._store.put_if_unchanged(key, b"fourth", first)
            raise StoreError("a changed object was replaced", hint="use another file system")
        return "an object is created once, and replaced only as it was read"

    def multipart(self) -> str:
        """Upload an object in two parts and find the first one before the second is there."""
        assert self.bucket
        clients, key = self.bucket.clients, self.bucket.clients.address.prefix + self._prefix + "parts"
        place = {"Bucket": clients.address.bucket, "Key": key}
        begun = clients.ask("write", key, methodcaller("create_multipart_upload", **place))
        upload = {**place, "UploadId": begun["UploadId"]}
        parts = []
        for number, body in enumerate((bytes(PART), b"end"), start=1):
            part = {**upload, "PartNumber": number, "Body": body}
            sent = clients.ask("write", key, methodcaller("upload_part", **part))
            parts.append({"PartNumber": number, "ETag": sent["ETag"]})
            listed = clients.ask("read", key, methodcaller("list_parts", **upload)).get("Parts", [])
            if len(listed) != number:
                hint = "uploads of large files work, but begin anew when they are killed"
                raise _DoubtError("the parts of an unfinished upload are not listed", hint=hint)
        whole = {**upload, "MultipartUpload": {"Parts": parts}}
        clients.ask("write", key, methodcaller("complete_multipart_upload", **whole))
        found = self._store.head(self._prefix + "parts")
        if found is None or found.size != PART + 3:
            raise StoreError("an upload in parts did not become an object", hint="use another store")
        return "large files go in parts, and an interrupted upload can go on"

    def checksums(self) -> str:
        """Send bytes with a wrong hash."""
        assert self.bucket
        from orchestrator.store.s3.faults import Fault, boto_faults

        clients = self.bucket.clients
        try:
            # Not by the loop of all requests, which would try again what was damaged on its way.
            with boto_faults():
                clients.control.put_object(
                    Bucket=clients.address.bucket,
                    Key=clients.address.prefix + self._prefix + "wrong",
                    Body=b"x",
                    ChecksumSHA256=NO_SHA256,
                )
        except Fault as fault:
            if fault.kind != "answer" or fault.status >= SERVER_ERROR:
                raise _DoubtError(f"it is not known whether hashes are looked at: {fault.summary}") from fault
            return "what is damaged on its way there is refused"
        hint = "use https, which protects what is on its way"
        raise _DoubtError("bytes with a wrong hash are accepted", hint=hint)

    def list(self) -> str:
        """Find objects of all kinds of names, and folders."""
        for name in NAMES:
            self._store.put(f"{self._prefix}names/{name}", name.encode())
        wanted = {f"{self._prefix}names/{name}" for name in NAMES}
        found = {item.key for item in list_objects(self._store, self._prefix + "names/")}
        if found != wanted:
            missing = ", ".join(repr(key.removeprefix(self._prefix + "names/")) for key in wanted - found)
            raise StoreError(f"names are not listed as they were written: {missing}", hint="use another store")
        if list(list_folders(self._store, self._prefix + "names/")) != ["folder"]:
            raise StoreError("folders are not listed", hint="use another store")
        return "objects and folders are listed, spaces, accents and signs in names included"

    def delete(self) -> str:
        """Delete all that was written."""
        self._store.delete([item.key for item in list_objects(self._store, self._prefix)])
        if left := sum(1 for _ in list_objects(self._store, self._prefix)):
            raise StoreError(f"{left} objects are still there after they were deleted", hint="use another store")
        return "what was written for this check is gone"

    def clock(self) -> str:
        """Compare the store's clock with this machine's."""
        assert self.bucket
        clients = self.bucket.clients
        begun = time.time()
        place = {"Bucket": clients.address.bucket, "Prefix": clients.address.prefix + self._prefix, "MaxKeys": 1}
        answer = clients.ask("list", "", methodcaller("list_objects_v2", **place))
        written = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        try:
            theirs = parsedate_to_datetime(written).timestamp()
        except (TypeError, ValueError):
            raise _DoubtError("the store does not tell its time") from None
        skew = theirs - (begun + time.time()) / 2
        text = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
        if abs(skew) > SKEW_FAIL:
            raise StoreError(f"the store's clock is {text}", hint="set the clock: timedatectl set-ntp true")
        if abs(skew) > SKEW_WARN:
            raise _DoubtError(f"the store's clock is {text}", hint="set the clock: timedatectl set-ntp true")
        return "the store's clock and this machine's agree"
