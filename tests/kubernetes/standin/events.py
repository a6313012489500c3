"""Events, as the parts of the cluster record them."""

import time
import uuid
from datetime import UTC, datetime

from tests.kubernetes.standin.api import Api
from tests.kubernetes.standin.defaults import now
from tests.kubernetes.standin.resources import EVENTS, Object


class Recorder:
    """Records what a part of the cluster does.

    Args:
        api: Takes the events.
        component: The part, such as `kubelet`.
        host: The node, of a kubelet.
        modern: Whether it records as `events.k8s.io` has it, with `eventTime` and `series` instead of `firstTimestamp`,
            `lastTimestamp`, `count` and `source`; the scheduler does.
    """

    def __init__(self, api: Api, component: str, host: str = "", *, modern: bool = False) -> None:
        self._api = api
        self._component = component
        self._host = host
        self._modern = modern
        self._known: dict[tuple[str, str, str, str], str] = {}

    def normal(self, obj: Object, reason: str, message: str, field: str = "", action: str = "") -> None:
        """Record something as it should be."""
        self._record("Normal", obj, reason, message, field, action)

    def warning(self, obj: Object, reason: str, message: str, field: str = "", action: str = "") -> None:
        """Record something that went wrong."""
        self._record("Warning", obj, reason, message, field, action)

    def _record(self, kind: str, obj: Object, reason: str, message: str, field: str, action: str) -> None:
        metadata = obj["metadata"]
        about = {
            "kind": obj["kind"],
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": obj["apiVersion"],
            **({"fieldPath": field} if field else {}),
        }
        namespace = metadata.get("namespace") or "default"
        store = self._api.store
        with store.locked():
            known = (metadata["uid"], reason, message, field)
            name = self._known.get(known)
            if name and store.find(EVENTS, namespace, name):
                store.edit(EVENTS, namespace, name, self._repeat)
                return
            name = self._known[known] = f"{metadata['name'][:200]}.{time.time_ns():x}"
            event: Object = {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "creationTimestamp": now(),
                    "uid": str(uuid.uuid4()),
                },
                "involvedObject": about,
                "reason": reason,
                "message": message,
                "type": kind,
                "reportingComponent": self._component,
                "reportingInstance": self._host or (f"{self._component}-0" if self._modern else ""),
            }
            store.create(EVENTS, event | (self._modern_part(action) if self._modern else self._classic_part()))

    def _modern_part(self, action: str) -> Object:
        return {"action": action, "eventTime": _micro(), "firstTimestamp": None, "lastTimestamp": None, "source": {}}

    def _classic_part(self) -> Object:
        source = {"component": self._component, **({"host": self._host} if self._host else {})}
        return {"source": source, "firstTimestamp": now(), "lastTimestamp": now(), "count": 1, "eventTime": None}

    def _repeat(self, event: Object) -> None:
        if self._modern:
            count = event.get("series", {}).get("count", 1)
            event["series"] = {"count": count + 1, "lastObservedTime": _micro()}
        else:
            event |= {"count": event["count"] + 1, "lastTimestamp": now()}


def _micro() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
