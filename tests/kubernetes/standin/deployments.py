"""The Deployment controller. Its pods are its own: there are no ReplicaSets between them."""

import copy
import hashlib
import math
import time
from collections.abc import Iterable

import msgspec

from tests.kubernetes.standin import defaults
from tests.kubernetes.standin.api import Api, DeleteOptions
from tests.kubernetes.standin.conditions import set_condition
from tests.kubernetes.standin.events import Recorder
from tests.kubernetes.standin.pod import FINAL
from tests.kubernetes.standin.resources import DEPLOYMENTS, PODS, Object
from tests.kubernetes.standin.status import ApiError
from tests.kubernetes.standin.store import Change, Key

HASH = "pod-template-hash"  # label


class DeploymentController:
    """Makes and ends pods, so that never too few are ready nor too many there."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._events = Recorder(api, "deployment-controller")
        self._pods: dict[str, set[Key]] = {}
        self._progress: dict[str, tuple[tuple[int, ...], float]] = {}

    def keys(self, change: Change) -> Iterable[Key]:
        """Deployments, and those whose pods changed."""
        metadata = change.entry.value["metadata"]
        key = metadata.get("namespace", ""), metadata["name"]
        if change.resource == DEPLOYMENTS:
            yield key
        elif change.resource == PODS:
            for owner in metadata.get("ownerReferences") or []:
                if owner["kind"] == "Deployment" and owner.get("controller"):
                    known = self._pods.setdefault(owner["uid"], set())
                    (known.discard if change.kind == "DELETED" else known.add)(key)
                    yield key[0], owner["name"]

    def reconcile(self, key: Key) -> float | None:
        """Bring a Deployment a step further."""
        entry = self._api.store.find(DEPLOYMENTS, *key)
        if entry is None or "deletionTimestamp" in entry.value["metadata"]:
            return None
        obj = entry.copy()
        spec, digest = obj["spec"], _digest(obj["spec"]["template"])
        pods = [pod for pod in self._pods_of(obj) if _is_active(pod)]
        new = [pod for pod in pods if pod["metadata"]["labels"].get(HASH) == digest]
        old = [pod for pod in pods if pod not in new]
        wanted = spec["replicas"]
        rolling = spec["strategy"].get("rollingUpdate", {})
        surge = _amount(rolling.get("maxSurge", 0), wanted, math.ceil)
        least = wanted - _amount(rolling.get("maxUnavailable", wanted), wanted, math.floor)
        refused = ""
        for _ in range(min(wanted - len(new), wanted + surge - len(pods))):
            try:
                new.append(self._create(obj, digest))
            except ApiError as error:
                refused = str(error)
                break
        for pod in sorted(new, key=is_ready)[: max(0, len(new) - wanted)]:
            self._delete(pod)
            new.remove(pod)
        unready = [pod for pod in old if not is_ready(pod)]
        room = len(new) + len(old) - least - sum(not is_ready(pod) for pod in new)
        for pod in unready[: max(0, room)]:
            self._delete(pod)
            old.remove(pod)
        ready = [pod for pod in old if is_ready(pod)]
        room = sum(map(is_ready, [*new, *old])) - least
        for pod in ready[: max(0, room)]:
            self._delete(pod)
            old.remove(pod)
        return self._tell(obj, new, old, refused)

    def _tell(self, obj: Object, new: list[Object], old: list[Object], refused: str) -> float | None:
        """Write the status; gives the seconds until the deadline for progress."""
        wanted, there = obj["spec"]["replicas"], [*new, *old]
        ready = sum(map(is_ready, there))
        counts = {
            "replicas": len(there),
            "updatedReplicas": len(new),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(0, wanted - ready),
        }
        complete = len(new) == wanted == ready and not old
        uid, moment = obj["metadata"]["uid"], time.monotonic()
        shape = (obj["metadata"]["generation"], *counts.values())
        if self._progress.get(uid, ((), 0.0))[0] != shape:
            self._progress[uid] = (shape, moment)
        left = self._progress[uid][1] + obj["spec"]["progressDeadlineSeconds"] - moment
        name = obj["metadata"]["name"]
        changed = copy.deepcopy(obj)
        changed["status"] |= counts | {"observedGeneration": obj["metadata"]["generation"]}
        if complete:
            told = ("True", "NewReplicaSetAvailable", f'Deployment "{name}" has successfully progressed.')
        elif left <= 0:
            told = ("False", "ProgressDeadlineExceeded", f'Deployment "{name}" has timed out progressing.')
        else:
            told = ("True", "ReplicaSetUpdated", f'Deployment "{name}" is progressing.')
        set_condition(changed, "Progressing", *told)
        if ready >= wanted:
            available = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        else:
            available = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        set_condition(changed, "Available", *available)
        conditions = changed["status"]["conditions"]
        conditions[:] = [item for item in conditions if item["type"] != "ReplicaFailure"]
        if refused:
            set_condition(changed, "ReplicaFailure", "True", "FailedCreate", refused)
        if changed["status"] != obj["status"]:

            def write(stored: Object) -> None:
                stored["status"] = changed["status"]

            self._api.edit(DEPLOYMENTS, obj["metadata"]["namespace"], name, write)
        return None if complete or left <= 0 else max(0.1, left)

    def _pods_of(self, obj: Object) -> list[Object]:
        found = [self._api.store.find(PODS, *key) for key in sorted(self._pods.get(obj["metadata"]["uid"], ()))]
        return [entry.value for entry in found if entry]

    def _create(self, obj: Object, digest: str) -> Object:
        name, template = obj["metadata"]["name"], copy.deepcopy(obj["spec"]["template"])
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": obj["metadata"]["uid"]}
        metadata = template.get("metadata") or {}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-{digest}-{defaults.suffix()}",
                "labels": {**(metadata.get("labels") or {}), HASH: digest},
                "annotations": metadata.get("annotations") or {},
                "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
            },
            "spec": template["spec"],
        }
        made = self._api.create(PODS, obj["metadata"]["namespace"], pod)
        self._events.normal(obj, "SuccessfulCreate", f"Created pod: {made.value['metadata']['name']}")
        return made.value

    def _delete(self, pod: Object) -> None:
        metadata = pod["metadata"]
        options = DeleteOptions(propagation_policy="Background", preconditions={"uid": metadata["uid"]})
        self._api.delete(PODS, metadata["namespace"], metadata["name"], options)


def _digest(template: Object) -> str:
    return hashlib.sha256(msgspec.json.encode(template, order="sorted")).hexdigest()[:10]


def _amount(value: int | str, whole: int, rounded: object) -> int:
    if isinstance(value, int):
        return value
    return int(rounded(whole * float(value.rstrip("%")) / 100))  # type: ignore[operator]


def _is_active(pod: Object) -> bool:
    return "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") not in FINAL


def is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any((item["type"], item["status"]) == ("Ready", "True") for item in conditions)
