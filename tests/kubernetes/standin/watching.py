"""Watches: every change of some objects, as lines of JSON."""

import random
import time
from typing import TYPE_CHECKING

import msgspec

from tests.kubernetes.standin.request import Request
from tests.kubernetes.standin.resources import Object
from tests.kubernetes.standin.selectors import Match
from tests.kubernetes.standin.status import bad_request, expired
from tests.kubernetes.standin.store import Change, Entry, Store

if TYPE_CHECKING:
    from tests.kubernetes.standin.connection import Connection

TIMEOUT = (1800.0, 3600.0)  # seconds; the real server ends a watch at a random moment between the two


def serve(store: Store, request: Request, matches: Match, connection: "Connection", bookmark_every: float) -> None:
    """Stream the changes until the client goes, its time is over or the history it needs is gone.

    Args:
        store: The objects.
        request: The watch.
        matches: Which objects.
        connection: To the client.
        bookmark_every: Seconds between bookmarks, if the client allows them.
    """
    said = request.query.get("resourceVersion", "")
    if said and not said.isdigit():
        raise bad_request(f'Invalid value: "{said}": strconv.ParseUint: parsing "{said}": invalid syntax')
    timeout = float(request.query.get("timeoutSeconds") or 0) or random.uniform(*TIMEOUT)
    end = time.monotonic() + timeout
    bookmarks = request.flag("allowWatchBookmarks")
    connection.start_stream()
    gone = connection.watch_for_close()
    with store.locked():
        known = int(said or 0)
        first: list[Entry] = []
        if known == 0 or request.flag("sendInitialEvents"):
            first, known = [entry for entry in _all(store, request) if matches(entry.value)], store.revision
    for entry in first:
        connection.send_chunk(_event("ADDED", entry.data))
    if request.flag("sendInitialEvents") and bookmarks:
        connection.send_chunk(_bookmark(request, known, {"k8s.io/initial-events-end": "true"}))
    next_bookmark = time.monotonic() + bookmark_every
    while not gone.is_set() and not store.closed:
        with store.locked():
            too_old = known < store.forgotten and known != store.revision
            changes, newest = ([] if too_old else store.since(known)), store.revision
        if too_old:
            error = expired(f"too old resource version: {known} ({store.forgotten})")
            connection.send_chunk(_event("ERROR", msgspec.json.encode(error.body())))
            break
        told = [line for change in changes if (line := _tell(change, request, matches))]
        connection.send_chunk(b"".join(told))
        known = newest
        moment = time.monotonic()
        if bookmarks and (moment >= next_bookmark or moment >= end):
            connection.send_chunk(_bookmark(request, known, {}))
            next_bookmark = moment + bookmark_every
        if moment >= end:
            break
        store.wait(known, min(end, next_bookmark) if bookmarks else end)
    connection.end_stream()


def _all(store: Store, request: Request) -> list[Entry]:
    return [
        entry
        for entry in store.entries(request.resource, request.namespace)
        if not request.name or entry.value["metadata"]["name"] == request.name
    ]


def _tell(change: Change, request: Request, matches: Match) -> bytes:
    """Tell a change as this watch sees it: what begins to match is added, what ceases to is deleted."""
    if change.resource != request.resource:
        return b""
    metadata = change.entry.value["metadata"]
    if request.namespace and metadata.get("namespace") != request.namespace:
        return b""
    if request.name and metadata["name"] != request.name:
        return b""
    matched = change.before is not None and matches(change.before.value)
    now = change.kind != "DELETED" and matches(change.entry.value)
    if now:
        return _event("MODIFIED" if matched else "ADDED", change.entry.data)
    return _event("DELETED", change.entry.data) if matched else b""


def _event(kind: str, data: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), data)


def _bookmark(request: Request, revision: int, annotations: dict[str, str]) -> bytes:
    metadata: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    said = {"kind": request.resource.kind, "apiVersion": request.resource.api_version, "metadata": metadata}
    return _event("BOOKMARK", msgspec.json.encode(said))
