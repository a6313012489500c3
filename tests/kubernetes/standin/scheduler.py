"""The scheduler: binds each pod to a node that it fits on, or says why there is none."""

from collections.abc import Iterable
from decimal import Decimal

from tests.kubernetes.standin import fit, quantity
from tests.kubernetes.standin.api import Api
from tests.kubernetes.standin.conditions import set_condition
from tests.kubernetes.standin.events import Recorder
from tests.kubernetes.standin.pod import FINAL
from tests.kubernetes.standin.resources import CLAIMS, NODES, PODS, Object
from tests.kubernetes.standin.store import Change, Key

NAME = "default-scheduler"


class Scheduler:
    """Binds pods. What is taken on each node is kept up to date change by change, so that many pods cost little."""

    def __init__(self, api: Api, version: str) -> None:
        self._api = api
        self._words = fit.Words(version)
        self._events = Recorder(api, NAME, modern=True)
        self._taken: dict[str, tuple[str, dict[str, Decimal]]] = {}
        self._used: dict[str, dict[str, Decimal]] = {}
        self._waiting: dict[Key, None] = {}

    def keys(self, change: Change) -> Iterable[Key]:
        """New pods; all that wait, when room may have come up."""
        obj = change.entry.value
        key = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
        if change.resource == PODS:
            gone = change.kind == "DELETED" or obj["status"].get("phase") in FINAL
            node = obj["spec"].get("nodeName")
            if gone or node:
                self._waiting.pop(key, None)
            else:
                self._waiting[key] = None
            if node and not gone:
                self._take(obj, node)
            elif self._give_back(obj["metadata"]["uid"]):
                yield from self._waiting
            if change.kind == "ADDED" or (not node and change.before and change.before.value["spec"] != obj["spec"]):
                yield key
        elif change.resource == CLAIMS or (change.resource == NODES and not _heartbeat(change)):
            yield from self._waiting

    def reconcile(self, key: Key) -> float | None:
        """Try to bind a pod."""
        entry = self._api.store.find(PODS, *key)
        if entry is None:
            return None
        pod = entry.value
        if pod["spec"].get("nodeName") or "deletionTimestamp" in pod["metadata"] or pod["status"]["phase"] in FINAL:
            return None
        if pod["spec"].get("schedulerName") != NAME or pod["spec"].get("schedulingGates"):
            return None
        why = self._missing_claim(pod)
        if why:
            self._refuse(pod, why)
            return None
        wanted = quantity.of_pod(pod["spec"])
        reasons: dict[str, list[fit.Obstacle]] = {}
        fitting: list[tuple[Decimal, str]] = []
        for node in self._api.store.entries(NODES):
            name = node.value["metadata"]["name"]
            used = self._used.get(name, {})
            found = fit.obstacles(pod, wanted, node.value, used, self._words)
            if found:
                reasons[name] = found
            else:
                fitting.append((used.get("pods", Decimal(0)), name))
        if not fitting:
            self._refuse(pod, fit.message(reasons, self._words))
            return None
        self._bind(pod, min(fitting)[1])
        return None

    def _bind(self, pod: Object, node: str) -> None:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        self._take(pod, node)

        def bind(pod: Object) -> None:
            pod["spec"]["nodeName"] = node
            set_condition(pod, "PodScheduled", "True", "", "")
            pod["status"]["conditions"][-1] = {
                key: value for key, value in pod["status"]["conditions"][-1].items() if value != ""
            }

        self._events.normal(pod, "Scheduled", f"Successfully assigned {namespace}/{name} to {node}", action="Binding")
        self._api.edit(PODS, namespace, name, bind)

    def _refuse(self, pod: Object, why: str) -> None:
        def tell(pod: Object) -> None:
            set_condition(pod, "PodScheduled", "False", "Unschedulable", why)

        self._events.warning(pod, "FailedScheduling", why, action="Scheduling")
        self._api.edit(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"], tell)

    def _missing_claim(self, pod: Object) -> str:
        for volume in pod["spec"].get("volumes") or []:
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim is None:
                continue
            found = self._api.store.find(CLAIMS, pod["metadata"]["namespace"], claim)
            total = len(self._api.store.entries(NODES))
            if found is None:
                why = f'persistentvolumeclaim "{claim}" not found'
            elif found.value["status"].get("phase") != "Bound":
                why = "pod has unbound immediate PersistentVolumeClaims"
            else:
                continue
            return fit.told(total, why, [f"{total} {fit.HELPLESS}"], self._words)
        return ""

    def _take(self, pod: Object, node: str) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self._taken:
            amounts = {**quantity.of_pod(pod["spec"]), "pods": Decimal(1)}
            self._taken[uid] = (node, amounts)
            self._used[node] = quantity.add(self._used.get(node, {}), amounts)

    def _give_back(self, uid: str) -> bool:
        taken = self._taken.pop(uid, None)
        if taken is None:
            return False
        node, amounts = taken
        self._used[node] = quantity.add(self._used[node], {name: -amount for name, amount in amounts.items()})
        return True


def _heartbeat(change: Change) -> bool:
    """Say whether a node is the same to the scheduler as before."""
    before, after = (change.before.value if change.before else {}), change.entry.value
    return (
        change.kind == "MODIFIED"
        and all(before.get(part) == after.get(part) for part in ("spec", "status"))
        and before["metadata"].get("labels") == after["metadata"].get("labels")
    )
