"""Events, as the parts of the cluster record them."""

from tests.kubernetes.standin.api import Api
from tests.kubernetes.standin.defaults import now
from tests.kubernetes.standin.resources import EVENTS, Object


class Recorder:
    """Records what a part of the cluster does.

    Args:
        api: Takes the events.
        component: The part, such as `kubelet`.
        host: The node, of a kubelet.
    """

    def __init__(self, api: Api, component: str, host: str = "") -> None:
        self._api = api
        self._component = component
        self._host = host

    def normal(self, obj: Object, reason: str, message: str, field: str = "") -> None:
        """Record something as it should be."""
        self._record("Normal", obj, reason, message, field)

    def warning(self, obj: Object, reason: str, message: str, field: str = "") -> None:
        """Record something that went wrong."""
        self._record("Warning", obj, reason, message, field)

    def _record(self, kind: str, obj: Object, reason: str, message: str, field: str) -> None:
        metadata, moment = obj["metadata"], now()
        about = {
            "kind": obj["kind"],
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": obj["apiVersion"],
            **({"fieldPath": field} if field else {}),
        }
        namespace = metadata.get("namespace") or "default"
        with self._api.store.locked():
            for entry in self._api.store.entries(EVENTS, namespace):
                said = entry.value
                if (said["involvedObject"], said["reason"], said["message"]) == (about, reason, message):

                    def count(event: Object) -> None:
                        event["count"] += 1
                        event["lastTimestamp"] = moment

                    self._api.store.edit(EVENTS, namespace, said["metadata"]["name"], count)
                    return
            event: Object = {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {
                    "name": f"{metadata['name']}.{self._api.store.revision:016x}",
                    "namespace": namespace,
                    "creationTimestamp": moment,
                    "uid": f"{self._api.store.revision:08x}-0000-4000-8000-000000000000",
                },
                "involvedObject": about,
                "reason": reason,
                "message": message,
                "source": {"component": self._component, **({"host": self._host} if self._host else {})},
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "count": 1,
                "type": kind,
                "eventTime": None,
                "reportingComponent": self._component,
                "reportingInstance": self._host,
            }
            self._api.store.create(EVENTS, event)
