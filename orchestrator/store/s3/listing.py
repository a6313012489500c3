"""Pages of a listing, by ListObjectsV2.

obstore asks for it five times as fast as boto3 and hands on where the last page ended by the last key, so a page
needs nothing that would have to be kept. It shows the marker objects of S3 browsers, `folder/`, as empty objects
`folder`, and fails where somebody has put keys with empty segments: then boto3 lists, and such keys are left out.
"""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from orchestrator.store.base import ObjectInfo, Page
from orchestrator.store.s3.clients import Clients
from orchestrator.store.s3.faults import Fault, boto_faults, faults

if TYPE_CHECKING:
    from obstore import ObjectMeta

PAGE = 10_000  # objects; ten requests


def list_page(clients: Clients, prefix: str, *, delimiter: str, token: str, limit: int) -> Page:
    """Return a page with whole keys.

    Args:
        clients: Of the bucket.
        prefix: Whole prefix: empty, or ending in `/`.
        delimiter: Empty, or `/`.
        token: Key or prefix that the last page ended with; empty for the first page.
        limit: Entries; 0 is PAGE.

    Raises:
        PermissionDeniedError, StoreError: The bucket refuses or fails.
    """
    if delimiter:
        return _cut(*_folder(clients, prefix), token=token, limit=limit)
    wanted = limit or PAGE

    def once() -> list[ObjectInfo]:
        try:
            with faults():
                return _objects(clients, prefix, token, wanted)
        except Fault as fault:
            if fault.kind != "unreadable":
                raise
        with boto_faults():
            return list(islice(_all_objects(clients, prefix, token), wanted))

    objects = clients.attempt("list", prefix, once)
    return Page(objects=objects, prefixes=[], token=objects[-1].key if len(objects) == wanted else "")


def _objects(clients: Clients, prefix: str, after: str, wanted: int) -> list[ObjectInfo]:
    import obstore

    stream = obstore.list(clients.bulk, prefix or None, offset=after or None, chunk_size=wanted)
    return [_info(meta) for meta in next(iter(stream), [])]


def _folder(clients: Clients, prefix: str) -> tuple[list[ObjectInfo], list[str]]:
    """Return the objects and the prefixes directly below a prefix, all of them."""

    def once() -> tuple[list[ObjectInfo], list[str]]:
        import obstore

        try:
            with faults():
                found = obstore.list_with_delimiter(clients.bulk, prefix or None)
                return [_info(meta) for meta in found["objects"]], [one + "/" for one in found["common_prefixes"]]
        except Fault as fault:
            if fault.kind != "unreadable":
                raise
        with boto_faults():
            objects: list[ObjectInfo] = []
            prefixes: list[str] = []
            for page in _pages(clients, Prefix=prefix, Delimiter="/"):
                objects += _infos(page)
                prefixes += [one["Prefix"] for one in page.get("CommonPrefixes", []) if _usable(one["Prefix"][:-1])]
            return objects, prefixes

    return clients.attempt("list", prefix, once)


def _cut(objects: list[ObjectInfo], prefixes: list[str], *, token: str, limit: int) -> Page:
    if not token and not limit:
        return Page(objects=objects, prefixes=prefixes, token="")
    entries: list[ObjectInfo | str] = [*objects, *prefixes]
    entries = sorted((entry for entry in entries if _name(entry) > token.encode()), key=_name)
    chosen = entries[: limit or None]
    return Page(
        objects=[entry for entry in chosen if isinstance(entry, ObjectInfo)],
        prefixes=[entry for entry in chosen if isinstance(entry, str)],
        token=_name(chosen[-1]).decode() if len(chosen) < len(entries) else "",
    )


def _name(entry: ObjectInfo | str) -> bytes:
    return (entry if isinstance(entry, str) else entry.key).encode()


def _info(meta: "ObjectMeta") -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["e_tag"] or "", meta["last_modified"].timestamp())


def _all_objects(clients: Clients, prefix: str, after: str) -> Iterator[ObjectInfo]:
    for page in _pages(clients, Prefix=prefix, StartAfter=after):
        yield from _infos(page)


def _pages(clients: Clients, **asked: str) -> Iterator[dict[str, Any]]:
    pages = clients.control.get_paginator("list_objects_v2")
    yield from pages.paginate(Bucket=clients.address.bucket, **asked)


def _infos(page: dict[str, Any]) -> Iterator[ObjectInfo]:
    for item in page.get("Contents", []):
        if _usable(item["Key"]):
            yield ObjectInfo(item["Key"], item["Size"], item["ETag"], item["LastModified"].timestamp())


def _usable(key: str) -> bool:
    return not any(segment in ("", ".", "..") for segment in key.split("/"))
