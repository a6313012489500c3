"""Delete many objects: a thousand at once, and one by one where that is refused, to say which and why."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from orchestrator.errors import MlctlError, PermissionDeniedError, StoreError
from orchestrator.store.s3.clients import Clients
from orchestrator.store.s3.faults import Fault, faults

AT_ONCE = 1000  # S3's own limit
MAX_FAILURES = 10  # after so many the cause is a common one


def delete_objects(clients: Clients, keys: Sequence[str]) -> None:
    """Delete objects by their whole keys; those that do not exist are no error.

    Raises:
        PermissionDeniedError: Access to all that could not be deleted was refused.
        StoreError: Some could not be deleted; names them, and why.
    """
    failures: list[MlctlError] = []
    for start in range(0, len(keys), AT_ONCE):
        batch = keys[start : start + AT_ONCE]
        if not clients.attempt("delete", batch[0], partial(_together, clients, batch)):
            failures += _one_by_one(clients, batch)
            if len(failures) >= MAX_FAILURES:
                break
    if failures:
        denied = all(isinstance(error, PermissionDeniedError) for error in failures)
        kind = PermissionDeniedError if denied else StoreError
        raise kind("\n".join(error.message for error in failures), hint=failures[0].hint)


def _together(clients: Clients, keys: Sequence[str]) -> bool:
    """Tell whether all could be deleted by one request. Raises Fault where it says nothing about single ones."""
    import obstore

    try:
        with faults():
            obstore.delete(clients.bulk, keys)
    except Fault as fault:
        # Some servers leave out keys in their answer that obstore waits for.
        if fault.kind != "strange" and (fault.kind != "answer" or fault.retriable or fault.missing):
            raise
        return False
    return True


def _one_by_one(clients: Clients, keys: Sequence[str]) -> list[MlctlError]:
    failures: list[MlctlError] = []
    for key in keys:
        try:
            clients.ask("delete", key, partial(_delete, clients.address.bucket, key))
        except MlctlError as error:
            failures.append(error)
            if len(failures) >= MAX_FAILURES:
                break
    return failures


def _delete(bucket: str, key: str, client: Any) -> None:
    client.delete_object(Bucket=bucket, Key=key)
