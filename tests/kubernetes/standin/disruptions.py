"""The levers for what happens to pods and nodes: out of memory, eviction, preemption, lost nodes."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.kubernetes.standin.api import Api, DeleteOptions
from tests.kubernetes.standin.conditions import set_condition
from tests.kubernetes.standin.defaults import now
from tests.kubernetes.standin.deployments import is_ready
from tests.kubernetes.standin.events import Recorder
from tests.kubernetes.standin.kubelet import Kubelets
from tests.kubernetes.standin.pod import FINAL, Pod
from tests.kubernetes.standin.quantity import parse
from tests.kubernetes.standin.request import Request
from tests.kubernetes.standin.resources import DEPLOYMENTS, NODES, PODS, Object, named
from tests.kubernetes.standin.selectors import of_labels
from tests.kubernetes.standin.status import ApiError
from tests.kubernetes.standin.store import Store

if TYPE_CHECKING:
    from tests.kubernetes.standin.connection import Connection

BACKGROUND = DeleteOptions(propagation_policy="Background")
UNREACHABLE = "node.kubernetes.io/unreachable"


class Disruptions:
    """What the stand-in can do to its pods and nodes."""

    api: Api
    store: Store
    kubelets: Kubelets
    folder: Path
    _timers: list[threading.Timer]

    def oom(self, pod: str, container: str = "main", namespace: str = "default") -> None:
        """Kill a container as the kernel does when it has taken more memory than its limit."""
        self._container(pod, container, namespace).kill(memory=True)

    def kill(self, pod: str, container: str = "main", namespace: str = "default") -> None:
        """Kill a container's processes."""
        self._container(pod, container, namespace).kill()

    def evict(
        self, pod: str, namespace: str = "default", *, resource: str = "memory", grace: float | None = None
    ) -> None:
        """Let the node end a pod because something is short there.

        Args:
            pod: Which.
            namespace: Of it.
            resource: What is short: `memory` or `ephemeral-storage`.
            grace: Seconds; the pod's own if None.
        """
        running = self._pod(pod, namespace)
        name = running.spec["containers"][0]["name"]
        message = (
            f"The node was low on resource: {resource}. Threshold quantity: 100Mi, available: 52Mi. Container {name} "
            f"was using 31Gi, request is 0, has larger consumption of {resource}. "
        )
        self._disrupt(running, "TerminationByKubelet", message)
        running.events.warning(running.object, "Evicted", message)
        usual = running.spec["terminationGracePeriodSeconds"]
        running.end(usual if grace is None else grace, "Evicted", message)

    def weigh(self, pod: str, namespace: str = "default") -> bool:
        """Let the node look, as it does every 10 s, whether a pod's volumes hold more than they may; tells if so."""
        running = self._pod(pod, namespace)
        for volume in running.spec.get("volumes") or []:
            limit = (volume.get("emptyDir") or {}).get("sizeLimit")
            used = sum(file.stat().st_size for file in running.volumes[volume["name"]].rglob("*") if file.is_file())
            if limit and used > parse(limit):
                message = f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{limit}". '
                running.events.warning(running.object, "Evicted", message)
                running.end(1, "Evicted", message)
                return True
        return False

    def preempt(self, pod: str, namespace: str = "default") -> None:
        """Let the scheduler remove a pod for a more important one."""
        running = self._pod(pod, namespace)
        message = "default-scheduler: preempting to accommodate a higher priority pod"
        self._disrupt(running, "PreemptionByScheduler", message)
        scheduler = Recorder(self.api, "default-scheduler")
        victim = f"Preempted by pod 00000000-0000-4000-8000-00000000abcd on node {running.node.name}"
        scheduler.normal(running.object, "Preempted", victim)
        self.api.delete(PODS, namespace, pod, BACKGROUND)

    def drain(self, node: str) -> None:
        """Cordon a node and evict its pods through the API, as `kubectl drain` does."""
        self.api.edit(NODES, "", node, lambda obj: obj["spec"].update(unschedulable=True))
        for pod in self._pods_of(node):
            self._evict_by_api(pod["metadata"]["namespace"], pod["metadata"]["name"], BACKGROUND)

    def lose_node(self, name: str, *, unreachable: bool = False, evict_after: float | None = None) -> None:
        """Lose a machine: all that runs there is dead at once, and its logs are out of reach.

        Args:
            name: Of the node.
            unreachable: False: the cloud says that the machine is gone, so its Node object is deleted and its pods
                fail at once (as PodGC does). True: nobody knows; the node is not ready and its pods look as they last
                did, until `evict_after`, when they are deleted but cannot end.
            evict_after: Seconds (300 in a real cluster); None never does.
        """
        node = self.kubelets.nodes[name]
        node.abandon()
        pods = self._pods_of(name)
        if not unreachable:
            self.api.store.remove(NODES, "", name)
            del self.kubelets.nodes[name]
            for pod in pods:
                self._collect(pod)
            return
        self.api.edit(NODES, "", name, _mark_unreachable)
        for pod in pods:
            self.api.edit(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"], _mark_unready)
            Recorder(self.api, "node-controller").warning(pod, "NodeNotReady", "Node is not ready")
        if evict_after is not None:
            timer = threading.Timer(evict_after, self._evict_by_taint, (name,))
            timer.daemon = True
            self._timers.append(timer)
            timer.start()

    def serve_eviction(self, request: Request, connection: "Connection", body: Any) -> None:
        """Answer `pods/eviction`."""
        with self.store.locked():  # of two that ask at once, one counts the other
            self._require_budget(self.store.get(PODS, request.namespace, request.name).value)
            self._evict_by_api(request.namespace, request.name, BACKGROUND)
        connection.send_json(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
        )

    def _require_budget(self, pod: Object) -> None:
        """Refuse to evict a pod of a Deployment if more of its pods would be away than their budget allows."""
        namespace = pod["metadata"]["namespace"]
        for budget in self.store.entries(named("poddisruptionbudgets"), namespace):
            of_budget = of_labels(budget.value["spec"]["selector"])
            if not of_budget(pod):
                continue
            wanted = sum(
                one.value["spec"]["replicas"]
                for one in self.store.entries(DEPLOYMENTS, namespace)
                if of_budget(one.value["spec"]["template"])
            )
            every = [one.value for one in self.store.entries(PODS, namespace) if of_budget(one.value)]
            healthy = sum(is_ready(one) and "deletionTimestamp" not in one["metadata"] for one in every)
            if healthy - 1 < wanted - budget.value["spec"]["maxUnavailable"]:
                why = "Cannot evict pod as it would violate the pod's disruption budget."
                raise ApiError(429, "TooManyRequests", why)

    def _evict_by_api(self, namespace: str, name: str, options: DeleteOptions) -> None:
        def mark(pod: Object) -> None:
            set_condition(pod, "DisruptionTarget", "True", "EvictionByEvictionAPI", "Eviction API: evicting")

        self.api.edit(PODS, namespace, name, mark)
        self.api.delete(PODS, namespace, name, options)

    def _evict_by_taint(self, node: str) -> None:
        for pod in self._pods_of(node):

            def mark(pod: Object) -> None:
                message = "Taint manager: deleting due to NoExecute taint"
                set_condition(pod, "DisruptionTarget", "True", "DeletionByTaintManager", message)

            namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
            self.api.edit(PODS, namespace, name, mark)
            told = f"Marking for deletion Pod {namespace}/{name}"
            Recorder(self.api, "taint-eviction-controller").normal(pod, "TaintManagerEviction", told)
            self.api.delete(PODS, namespace, name, BACKGROUND)

    def _collect(self, pod: Object) -> None:
        """Fail a pod whose node is no more, and delete it, as PodGC does."""

        def fail(pod: Object) -> None:
            if pod["status"].get("phase") not in FINAL:
                pod["status"]["phase"] = "Failed"
                set_condition(pod, "DisruptionTarget", "True", "DeletionByPodGC", "PodGC: node no longer exists")

        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        with self.store.locked():
            self.api.edit(PODS, namespace, name, fail)
            self.api.delete(
                PODS, namespace, name, DeleteOptions(propagation_policy="Background", grace_period_seconds=0)
            )

    def _disrupt(self, pod: Pod, reason: str, message: str) -> None:
        def mark(obj: Object) -> None:
            set_condition(obj, "DisruptionTarget", "True", reason, message)

        self.api.edit(PODS, pod.namespace, pod.name, mark)

    def _pods_of(self, node: str) -> list[Object]:
        return [entry.value for entry in self.store.entries(PODS) if entry.value["spec"].get("nodeName") == node]

    def _pod(self, name: str, namespace: str) -> Pod:
        obj = self.store.get(PODS, namespace, name).value
        pod = self.kubelets.nodes[obj["spec"]["nodeName"]].find(obj["metadata"]["uid"])
        assert pod, f"pod {name} does not run"
        return pod

    def _container(self, pod: str, name: str, namespace: str) -> Any:
        container = self._pod(pod, namespace).container(name)
        assert container, f"pod {pod} has no container {name}"
        return container


def _mark_unreachable(node: Object) -> None:
    moment = now()
    for condition in node["status"]["conditions"]:
        condition |= {
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
            "lastTransitionTime": moment,
        }
    taints = node["spec"].setdefault("taints", [])
    taints += [{"key": UNREACHABLE, "effect": effect, "timeAdded": moment} for effect in ("NoSchedule", "NoExecute")]


def _mark_unready(pod: Object) -> None:
    for condition in pod["status"].get("conditions") or []:
        if condition["type"] == "Ready":
            condition |= {"status": "False", "lastTransitionTime": now()}
