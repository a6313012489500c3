"""The objects, with the resourceVersions and the history that lists and watches rest on."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

import msgspec

from tests.kubernetes.standin.resources import Object, Resource
from tests.kubernetes.standin.status import already_exists, conflict, not_found

FIRST_REVISION = 1000
FOR_CONTROLLERS = 100_000  # changes that are kept in any case, since the controllers must not miss one
Key: TypeAlias = tuple[str, str]
"""Namespace (empty for none) and name."""
_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(dict).decode


class Entry(msgspec.Struct, frozen=True):
    """An object at one resourceVersion.

    Attributes:
        value: The object; nobody may change it.
        data: It in JSON.
        revision: Its resourceVersion.
    """

    value: Object
    data: bytes
    revision: int

    @property
    def item(self) -> bytes:
        """The object as the list of a built-in kind shows it: the list alone tells the kind."""
        named = _ENCODE({key: self.value[key] for key in ("kind", "apiVersion")})
        return b"{" + self.data[len(named) :]

    def copy(self) -> Object:
        """Give a copy that may be changed."""
        copied: Object = _DECODE(self.data)
        return copied


class Change(msgspec.Struct, frozen=True):
    """What happened to an object.

    Attributes:
        kind: Of change.
        resource: Of the object.
        entry: The object after it; the last state if it was deleted.
        before: The object before it, if there was one.
    """

    kind: Literal["ADDED", "MODIFIED", "DELETED"]
    resource: Resource
    entry: Entry
    before: Entry | None

    @property
    def revision(self) -> int:
        """The resourceVersion of the change."""
        return self.entry.revision


class Store:
    """All objects of the cluster. Every method may be called by any thread.

    Attributes:
        changed: Notified at every change; its lock guards everything.
        revision: The newest resourceVersion.
        history: The latest changes, oldest first.
        forgotten: The resourceVersion before which watches are told that it is too old.
        closed: Set at the end, for those who wait.
    """

    def __init__(self, history: int = 10_000) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.revision = FIRST_REVISION
        self.history: deque[Change] = deque()
        self.forgotten = FIRST_REVISION
        self.closed = False
        self._keep = history
        self._objects: dict[Resource, dict[Key, Entry]] = {}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other thread change anything meanwhile."""
        with self.changed:
            yield

    def get(self, resource: Resource, namespace: str, name: str) -> Entry:
        """Give an object.

        Raises:
            ApiError: 404, there is none.
        """
        found = self.find(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def find(self, resource: Resource, namespace: str, name: str) -> Entry | None:
        """Give an object, or None."""
        with self.changed:
            return self._objects.get(resource, {}).get((namespace, name))

    def entries(self, resource: Resource, namespace: str = "") -> list[Entry]:
        """Give all objects of a kind, in the order of their names; of all namespaces if none is named."""
        with self.changed:
            table = self._objects.get(resource, {})
            return [table[key] for key in sorted(table) if not namespace or key[0] == namespace]

    def create(self, resource: Resource, obj: Object) -> Entry:
        """Add an object.

        Raises:
            ApiError: 409, there is one with its name.
        """
        with self.changed:
            if self.find(resource, *_key(obj)):
                raise already_exists(resource, obj["metadata"]["name"])
            return self._record("ADDED", resource, obj, None)

    def replace(self, resource: Resource, obj: Object) -> Entry:
        """Change an object; does nothing if nothing is different.

        Raises:
            ApiError: 404, there is none; 409, it is not at the resourceVersion that `obj` names.
        """
        with self.changed:
            before = self.get(resource, *_key(obj))
            wanted = obj["metadata"].get("resourceVersion")
            if wanted and wanted != str(before.revision):
                raise conflict(resource, obj["metadata"]["name"])
            obj["metadata"]["resourceVersion"] = str(before.revision)
            if obj == before.value:
                return before
            return self._record("MODIFIED", resource, obj, before)

    def edit(self, resource: Resource, namespace: str, name: str, change: Callable[[Object], None]) -> Entry | None:
        """Change an object in place; does nothing, and gives None, if it is gone."""
        with self.changed:
            found = self.find(resource, namespace, name)
            if found is None:
                return None
            obj = found.copy()
            change(obj)
            return self.replace(resource, obj)

    def remove(self, resource: Resource, namespace: str, name: str) -> Entry | None:
        """Take an object away for good; gives its last state, or None if it was gone."""
        with self.changed:
            found = self.find(resource, namespace, name)
            return self._record("DELETED", resource, found.copy(), found) if found else None

    def since(self, revision: int) -> list[Change]:
        """Give the changes after a resourceVersion, oldest first."""
        with self.changed:
            later: list[Change] = []
            for change in reversed(self.history):
                if change.revision <= revision:
                    break
                later.append(change)
            return later[::-1]

    def forget(self) -> None:
        """Let the whole history be too old for watches, as after a compaction."""
        with self.changed:
            self.revision += 1
            self.forgotten = self.revision
            self.changed.notify_all()

    def wait(self, revision: int, deadline: float | None) -> bool:
        """Wait for a change after a resourceVersion.

        Args:
            revision: What the caller knows.
            deadline: Of `time.monotonic`; None waits for ever.

        Returns:
            Whether there is one.
        """
        with self.changed:
            rest = None if deadline is None else deadline - time.monotonic()
            if self.revision <= revision and not self.closed and (rest is None or rest > 0):
                self.changed.wait(rest)
            return self.revision > revision

    def close(self) -> None:
        """Wake all who wait."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def _record(
        self, kind: Literal["ADDED", "MODIFIED", "DELETED"], resource: Resource, obj: Object, before: Entry | None
    ) -> Entry:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        obj = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], **obj}  # first, as in real answers
        data = _ENCODE(obj)
        entry = Entry(_DECODE(data), data, self.revision)
        table = self._objects.setdefault(resource, {})
        if kind == "DELETED":
            del table[_key(obj)]
        else:
            table[_key(obj)] = entry
        self.history.append(Change(kind, resource, entry, before))
        if len(self.history) > self._keep:
            self.forgotten = max(self.forgotten, self.history[-self._keep - 1].revision)
        if len(self.history) > max(self._keep, FOR_CONTROLLERS):
            self.history.popleft()
        self.changed.notify_all()
        return entry


def _key(obj: Object) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
