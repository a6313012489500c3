"""The garbage collector: what belongs to something that is gone goes too. And the end of namespaces."""

from collections.abc import Iterable

from tests.kubernetes.standin.api import Api, DeleteOptions
from tests.kubernetes.standin.resources import NAMESPACES, RESOURCES, Object, Resource
from tests.kubernetes.standin.status import ApiError
from tests.kubernetes.standin.store import Change, Key

BACKGROUND = DeleteOptions(propagation_policy="Background")
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


class GarbageCollector:
    """Follows owner references. Its keys are pairs of a word and a uid (or the name of a namespace)."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._alive: dict[str, tuple[Resource, Key]] = {}
        self._owned: dict[str, dict[str, None]] = {}

    def keys(self, change: Change) -> Iterable[Key]:
        """Whatever owns or is owned, and namespaces that end."""
        obj = change.entry.value
        metadata = obj["metadata"]
        uid, key = metadata["uid"], (metadata.get("namespace", ""), metadata["name"])
        owners = [owner["uid"] for owner in metadata.get("ownerReferences") or []]
        if change.kind == "DELETED":
            self._alive.pop(uid, None)
            yield "owner", uid
        else:
            self._alive[uid] = (change.resource, key)
            if metadata.get("finalizers") and "deletionTimestamp" in metadata:
                yield "owner", uid
        for owner in owners:
            self._owned.setdefault(owner, {})[uid] = None
            yield "owner", owner
        if change.resource == NAMESPACES and obj["status"]["phase"] == "Terminating":
            yield "namespace", metadata["name"]
        elif change.kind == "DELETED" and key[0]:
            yield "namespace", key[0]

    def reconcile(self, key: Key) -> float | None:
        """Look at an owner or a namespace."""
        kind, name = key
        return self._end_namespace(name) if kind == "namespace" else self._look_after(name)

    def _look_after(self, uid: str) -> float | None:
        owned = [self._alive[item] for item in self._owned.get(uid, ()) if item in self._alive]
        owner = self._alive.get(uid)
        if owner is None:
            for resource, key in owned:
                self._disown(resource, key, uid)
            self._owned.pop(uid, None)
            return None
        entry = self._api.store.find(owner[0], *owner[1])
        finalizers = (entry.value["metadata"].get("finalizers") or []) if entry else []
        if entry is None or "deletionTimestamp" not in entry.value["metadata"]:
            return None
        if ORPHAN in finalizers:
            for resource, key in owned:
                self._release(resource, key, uid)
            self._drop_finalizer(*owner, ORPHAN)
        elif FOREGROUND in finalizers:
            for resource, key in owned:
                self._delete(resource, key)
            if not any(self._api.store.find(resource, *key) for resource, key in owned):
                self._drop_finalizer(*owner, FOREGROUND)
        return None

    def _disown(self, resource: Resource, key: Key, uid: str) -> None:
        """Delete what belonged to something that is gone, unless it has other owners."""
        entry = self._api.store.find(resource, *key)
        if entry is None:
            return
        owners = [owner["uid"] for owner in entry.value["metadata"].get("ownerReferences") or []]
        if uid not in owners:
            return
        if any(other in self._alive for other in owners):
            self._release(resource, key, uid)
        else:
            self._delete(resource, key)

    def _release(self, resource: Resource, key: Key, uid: str) -> None:
        def release(obj: Object) -> None:
            metadata = obj["metadata"]
            owners = [owner for owner in metadata.get("ownerReferences") or [] if owner["uid"] != uid]
            metadata["ownerReferences"] = owners
            if not owners:
                del metadata["ownerReferences"]

        self._api.edit(resource, *key, release)

    def _delete(self, resource: Resource, key: Key) -> None:
        entry = self._api.store.find(resource, *key)
        if entry and "deletionTimestamp" not in entry.value["metadata"]:
            try:
                self._api.delete(resource, *key, BACKGROUND)
            except ApiError as error:
                if error.code != 404:
                    raise

    def _drop_finalizer(self, resource: Resource, key: Key, name: str) -> None:
        def drop(obj: Object) -> None:
            left = [item for item in obj["metadata"].get("finalizers") or [] if item != name]
            obj["metadata"]["finalizers"] = left
            if not left:
                del obj["metadata"]["finalizers"]

        self._api.edit(resource, *key, drop)

    def _end_namespace(self, name: str) -> float | None:
        entry = self._api.store.find(NAMESPACES, "", name)
        if entry is None or entry.value["status"]["phase"] != "Terminating":
            return None
        empty = True
        for resource in RESOURCES:
            for inside in self._api.store.entries(resource, name) if resource.namespaced else []:
                empty = False
                self._delete(resource, (name, inside.value["metadata"]["name"]))
        if empty:
            self._api.store.remove(NAMESPACES, "", name)
        return None if empty else 0.1
