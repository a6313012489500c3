"""Typed JSON records in the store: read, claim, change. The store is the database (DESIGN, D1)."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from orchestrator.decoders import decoder
from orchestrator.errors import StoreError
from orchestrator.store.base import AlreadyExistsError, ChangedError, ObjectNotFoundError, Store

FIRST_PAUSE = 0.01  # seconds; doubled at each lost race, with full jitter
LONGEST_PAUSE = 1.0  # seconds
ATTEMPTS = 200

Record = TypeVar("Record", bound=msgspec.Struct)


def encode(record: msgspec.Struct) -> bytes:
    """Return the record as indented JSON, for people who open the bucket."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def decode(data: bytes, kind: type[Record], key: str) -> Record:
    """Return the record in `data`.

    Raises:
        StoreError: It is not a record of that kind; names `key`.
    """
    try:
        return decoder(kind).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "restore the object from a backup, or delete what it belongs to"
        raise StoreError(f"{key} is damaged: {error}", hint=hint) from error


def read(store: Store, key: str, kind: type[Record]) -> Record:
    """Return the record at `key`. Raises ObjectNotFoundError, StoreError."""
    return decode(store.get(key).data, kind, key)


def find(store: Store, key: str, kind: type[Record]) -> Record | None:
    """Return the record at `key`, or None if there is none. Raises StoreError."""
    try:
        return read(store, key, kind)
    except ObjectNotFoundError:
        return None


def write(store: Store, key: str, record: msgspec.Struct) -> None:
    """Create or replace the record at `key`; for records with one writer only."""
    store.put(key, encode(record))


def claim(store: Store, key: str, record: msgspec.Struct) -> None:
    """Create the record at `key`; what tells two claimers apart is in the record.

    Raises:
        AlreadyExistsError: Somebody else was first.
    """
    data = encode(record)
    try:
        store.put_if_absent(key, data)
    except AlreadyExistsError:
        try:
            present = store.get(key).data
        except ObjectNotFoundError:
            present = b""
        if present != data:  # else it is our own: a store may have written although its answer got lost
            raise


def change(store: Store, key: str, kind: type[Record], edit: Callable[[Record], Record]) -> Record:
    """Replace the record at `key` by `edit` of it, losing no concurrent change, and return the new one.

    Raises:
        ObjectNotFoundError: There is no such record.
        ChangedError: Others changed it without end.
    """
    pause = FIRST_PAUSE
    for attempt in range(ATTEMPTS):
        current = store.get(key)
        edited = edit(decode(current.data, kind, key))
        try:
            store.put_if_unchanged(key, encode(edited), current.etag)
        except ChangedError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0, pause))
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            return edited
    raise AssertionError("unreachable")
