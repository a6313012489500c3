"""Multipart uploads that were begun and have not ended: found, and given up."""

from functools import partial
from typing import Any

from orchestrator.store.base import Unfinished
from orchestrator.store.gather import gather
from orchestrator.store.s3.clients import Clients
from orchestrator.store.s3.faults import Fault, boto_faults


def list_unfinished(clients: Clients, prefix: str) -> list[Unfinished]:
    """Return the uploads below a whole prefix, with whole keys and the date of their latest part.

    Raises:
        PermissionDeniedError, StoreError: The bucket refuses or fails.
    """
    found: list[dict[str, Any]] = []
    marker: dict[str, str] = {}
    while True:
        asked = {"Bucket": clients.address.bucket, "Prefix": prefix, **marker}
        page = clients.ask("list", prefix, partial(_page, asked))
        # Not all servers mind the prefix.
        found += [one for one in page.get("Uploads", []) if one["Key"].startswith(prefix)]
        if not page.get("IsTruncated"):
            break
        marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    return gather(partial(_look, clients), found)


def give_up(clients: Clients, key: str, upload: str) -> None:
    """Free the room of an upload's parts; one that has ended meanwhile is no error.

    Raises:
        PermissionDeniedError, StoreError: The bucket refuses or fails.
    """

    def once() -> None:
        try:
            with boto_faults():
                clients.control.abort_multipart_upload(Bucket=clients.address.bucket, Key=key, UploadId=upload)
        except Fault as fault:
            if fault.code != "NoSuchUpload":
                raise

    clients.attempt("delete", key, once)


def _page(asked: dict[str, str], client: Any) -> dict[str, Any]:
    page: dict[str, Any] = client.list_multipart_uploads(**asked)
    return page


def _look(clients: Clients, upload: dict[str, Any]) -> Unfinished:
    """Return an upload with the size and the latest date of its parts."""
    key = upload["Key"]
    asked = {"Bucket": clients.address.bucket, "Key": key, "UploadId": upload["UploadId"]}

    def once() -> list[dict[str, Any]]:
        try:
            with boto_faults():
                pages = clients.control.get_paginator("list_parts").paginate(**asked)
                return [part for page in pages for part in page.get("Parts", [])]
        except Fault as fault:
            if fault.code == "NoSuchUpload":  # it has just ended
                return []
            raise

    parts = clients.attempt("list", key, once)
    dates = [upload["Initiated"], *(part["LastModified"] for part in parts)]
    return Unfinished(key, upload["UploadId"], sum(part["Size"] for part in parts), max(dates).timestamp())
