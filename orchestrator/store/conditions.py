"""Whether a store keeps what conditional writes promise."""

import os
from contextlib import suppress

from orchestrator.errors import StoreError
from orchestrator.store.base import AlreadyExistsError, ChangedError, Store


def check_conditions(store: Store) -> None:
    """Prove that of two writers under the same condition only one succeeds.

    Raises:
        StoreError: Both do.
    """
    key = f"doctor/{os.urandom(8).hex()}"
    try:
        first = store.put_if_absent(key, b"first")
        with suppress(AlreadyExistsError):
            store.put_if_absent(key, b"second")
            raise _unsafe(store, "created an object twice")
        store.put_if_unchanged(key, b"third", first)
        with suppress(ChangedError):
            store.put_if_unchanged(key, b"fourth", first)
            raise _unsafe(store, "replaced an object that had changed")
    finally:
        store.delete([key])


def _unsafe(store: Store, what: str) -> StoreError:
    return StoreError(f"{store.url} {what}", hint="mlctl needs conditional writes: use another store")
