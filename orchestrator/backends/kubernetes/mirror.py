"""A copy of one collection of the cluster, kept up by one list and one watch, however many jobs there are.

A watch that breaks is made anew from the version of the last event or bookmark; only where the server does not know
that version any more, the collection is listed again.
"""

import contextlib
import functools
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.pods import name_of
from orchestrator.backends.kubernetes.refusals import GoneError, TroubleError, refusal
from orchestrator.backends.kubernetes.shapes import Change, Listed
from orchestrator.errors import ClusterError, MlctlError

Json = dict[str, Any]

WATCH = 290  # seconds that the server keeps one watch open; the next goes on where it ended
SILENCE = 100.0  # seconds without an event or bookmark, of which a server sends one in 75 s, before it is asked anew
SHORT = 1.0  # seconds; a watch that ends sooner is not made anew at once
FIRST_PAUSE = 0.2  # seconds before it is asked again after a failure; doubled each time
LONGEST_PAUSE = 30.0  # seconds

_changes = msgspec.json.Decoder(Change)


class Mirror:
    """The objects of one collection that a label selector finds.

    Args:
        api: The cluster.
        path: Of the collection.
        selector: A label selector.
        key: Which group an object belongs to.
        shape: As much of an object as is kept.
    """

    def __init__(
        self, api: Api, path: str, selector: str, key: Callable[[Json], str] = name_of, *, shape: Any = dict
    ) -> None:
        self._shape = shape
        self._api = api
        self._path = path
        self._selector = selector
        self._lock = threading.Lock()
        self._key = key
        self._objects: dict[str, Json] = {}
        self._groups: dict[str, list[Json]] | None = None  # of the objects as they are now, when somebody has asked
        self._version = ""
        self._known = float("-inf")  # when the copy was last known to be right; time.monotonic
        self._thread: threading.Thread | None = None
        self._failure: MlctlError | None = None
        self._over = threading.Event()

    @functools.cached_property
    def _list_decoder(self) -> "msgspec.json.Decoder[Listed[Any]]":
        return msgspec.json.Decoder(Listed[self._shape])  # type: ignore[name-defined]

    @functools.cached_property
    def _decoder(self) -> "msgspec.json.Decoder[Any]":
        return msgspec.json.Decoder(self._shape)

    def groups(self, *, age: float) -> Mapping[str, list[Json]]:
        """Return the objects by their groups, as they were at most `age` seconds ago.

        Raises:
            MlctlError: The cluster cannot be asked, and what is known is older.
        """
        if self._thread is None and time.monotonic() - self._known > age:
            self._list()
        with self._lock:
            if self._failure and time.monotonic() - self._known > age:
                raise self._failure
            if self._groups is None:
                self._groups = defaultdict(list)
                for thing in self._objects.values():
                    self._groups[self._key(thing)].append(thing)
            return self._groups

    def follow(self) -> None:
        """Keep the copy up from now on, in a thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"watch {self._path}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread soon."""
        self._over.set()

    def _list(self) -> None:
        found = self._api.read(self._path, self._list_decoder, labelSelector=self._selector)
        with self._lock:
            self._objects = {name_of(item): item for item in found.items or ()}
            self._groups = None
            self._version = found.metadata.resource_version
            self._known, self._failure = time.monotonic(), None

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._over.is_set():
            try:
                if not self._version:
                    self._list()
                begun = time.monotonic()
                self._watch()
                if time.monotonic() - begun < SHORT:
                    self._over.wait(SHORT)
                pause = FIRST_PAUSE
            except GoneError:  # too old to go on from there
                self._version = ""
            except MlctlError as error:
                with self._lock:
                    self._failure = error
                    if not isinstance(error, TroubleError):  # else it goes on from the last event or bookmark
                        self._version = ""
                self._over.wait(random.uniform(pause / 2, pause))
                pause = min(2 * pause, LONGEST_PAUSE)

    def _watch(self) -> None:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": self._selector,
            "resourceVersion": self._version,
            "timeoutSeconds": str(WATCH),
        }
        rest, heard = b"", float("-inf")
        stream = self._api.stream(self._path, read_timeout=SILENCE, **query)
        try:
            with contextlib.closing(stream):
                for block in stream:
                    heard = time.monotonic()
                    self._failure = None
                    *lines, rest = (rest + block).split(b"\n")
                    for line in filter(None, lines):
                        self._take(line)
                    if self._over.is_set():
                        return
        finally:
            now = time.monotonic()
            if now - heard < SILENCE:  # it was there, and broke or ended just now: until then nothing else had happened
                with self._lock:
                    self._known = now

    def _take(self, line: bytes) -> None:
        try:
            change = _changes.decode(line)
            kind, told = change.type, bytes(change.object)
            thing = None if kind == "ERROR" else self._decoder.decode(told)
        except msgspec.DecodeError as error:
            raise ClusterError(f"{self._api.place} sends a watch event that is none: {line[:200]!r}") from error
        if thing is None:
            raise refusal(msgspec.json.decode(told).get("code", 500), told.decode(), self._api.place)
        with self._lock:
            self._version = thing["metadata"]["resourceVersion"]
            self._known, self._failure = time.monotonic(), None
            if kind == "DELETED":
                self._objects.pop(name_of(thing), None)
            elif kind != "BOOKMARK":
                self._objects[name_of(thing)] = thing
            self._groups = self._groups if kind == "BOOKMARK" else None
