"""Kueue, as far as a waiting job sees it: a Workload for each Job of a queue, admitted in turn while its quota lasts.

A Job with the queue's label is suspended when it is made, as by Kueue's webhook. Left out: cohorts, borrowing, flavors
(there is one, `default`), preemption and priorities.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.kubernetes.standin import quantity
from tests.kubernetes.standin.api import Api
from tests.kubernetes.standin.conditions import set_condition
from tests.kubernetes.standin.events import Recorder
from tests.kubernetes.standin.jobs import condition
from tests.kubernetes.standin.request import Request
from tests.kubernetes.standin.resources import CLUSTER_QUEUES, JOBS, LOCAL_QUEUES, WORKLOADS, Object, Resource
from tests.kubernetes.standin.store import Change, Key

if TYPE_CHECKING:
    from tests.kubernetes.standin.connection import Connection

QUEUE = "kueue.x-k8s.io/queue-name"
JOB_UID = "kueue.x-k8s.io/job-uid"
ALL: Key = ("", "")


class Kueue:
    """Keeps Workloads and starts Jobs."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._events = Recorder(api, "kueue-admission")
        api.admit.append(self.suspend)

    def keys(self, change: Change) -> Iterable[Key]:
        """Everything at once, whenever a Job or a queue changes."""
        labels = change.entry.value["metadata"].get("labels") or {}
        if change.resource in {LOCAL_QUEUES, CLUSTER_QUEUES} or (change.resource == JOBS and QUEUE in labels):
            yield ALL

    def reconcile(self, key: Key) -> float | None:
        """Give each Job its Workload, and admit those that there is room for, oldest first."""
        used: dict[str, dict[str, Decimal]] = {}
        waiting = []
        for job in self._jobs():
            workload = self._workload(job)
            if condition(job, "Complete") or condition(job, "Failed"):
                self._set(workload, {"Finished": ("True", "JobFinished", "Job finished")})
            elif condition(workload, "Admitted"):
                name = workload["status"]["admission"]["clusterQueue"]
                used[name] = quantity.add(used.get(name, {}), _wanted(job))
            else:
                waiting.append((job, workload))
        for job, workload in waiting:
            self._consider(job, workload, used)
        return None

    def suspend(self, resource: Resource, obj: Object) -> None:
        """Suspend a new Job of a queue."""
        if resource == JOBS and QUEUE in (obj["metadata"].get("labels") or {}):
            obj["spec"]["suspend"] = True

    def serve_pending(self, request: Request, connection: "Connection", body: Any) -> None:
        """Answer `localqueues/pendingworkloads` of the visibility API."""
        items = []
        for job in self._jobs():
            workload = self._workload(job)
            metadata = workload["metadata"]
            asked = (metadata["namespace"], workload["spec"]["queueName"]) == (request.namespace, request.name)
            if asked and not condition(workload, "Admitted") and not condition(workload, "Finished"):
                shown = {key: metadata[key] for key in ("name", "namespace", "creationTimestamp")}
                place = {"positionInClusterQueue": len(items), "positionInLocalQueue": len(items)}
                items.append({"metadata": shown, "priority": 0, "localQueueName": request.name, **place})
        kind = {"kind": "PendingWorkloadsSummary", "apiVersion": request.resource.api_version}
        connection.send_json({**kind, "metadata": {}, "items": items})

    def _jobs(self) -> list[Object]:
        found = [
            entry.value
            for entry in self._api.store.entries(JOBS)
            if QUEUE in (entry.value["metadata"].get("labels") or {})
            and "deletionTimestamp" not in entry.value["metadata"]
        ]
        return sorted(found, key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))

    def _workload(self, job: Object) -> Object:
        metadata = job["metadata"]
        name = f"job-{metadata['name']}-{metadata['uid'][:5]}"
        found = self._api.store.find(WORKLOADS, metadata["namespace"], name)
        if found is None:
            owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
            pods = {"name": "main", "count": job["spec"]["parallelism"], "template": job["spec"]["template"]}
            workload: Object = {
                "metadata": {
                    "name": name,
                    "labels": {JOB_UID: metadata["uid"]},
                    "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
                },
                "spec": {"queueName": metadata["labels"][QUEUE], "podSets": [pods], "priority": 0, "active": True},
                "status": {},
            }
            found = self._api.create(WORKLOADS, metadata["namespace"], workload)
            self._events.normal(job, "CreatedWorkload", f"Created Workload: {metadata['namespace']}/{name}")
        return found.copy() | {"status": found.copy().get("status", {})}

    def _consider(self, job: Object, workload: Object, used: dict[str, dict[str, Decimal]]) -> None:
        namespace, queue = job["metadata"]["namespace"], job["metadata"]["labels"][QUEUE]
        local = self._api.store.find(LOCAL_QUEUES, namespace, queue)
        cluster = self._api.store.find(CLUSTER_QUEUES, "", local.value["spec"]["clusterQueue"]) if local else None
        if local is None or cluster is None:
            what = f"ClusterQueue {local.value['spec']['clusterQueue']}" if local else f"LocalQueue {queue}"
            self._set(workload, {"QuotaReserved": ("False", "Inadmissible", f"{what} doesn't exist")})
            return
        name, wanted = cluster.value["metadata"]["name"], _wanted(job)
        lacking = _lacking(cluster.value, wanted, used.get(name, {}))
        if lacking:
            told = f"couldn't assign flavors to pod set main: {lacking}"
            self._set(workload, {"QuotaReserved": ("False", "Pending", told)})
            return
        used[name] = quantity.add(used.get(name, {}), wanted)
        workload["status"]["admission"] = {"clusterQueue": name}
        reserved = ("True", "QuotaReserved", f"Quota reserved in ClusterQueue {name}")
        self._set(workload, {"QuotaReserved": reserved, "Admitted": ("True", "Admitted", "The workload is admitted")})
        self._api.edit(JOBS, namespace, job["metadata"]["name"], lambda job: job["spec"].update(suspend=False))
        self._events.normal(job, "Started", f"Admitted by clusterQueue {name}")

    def _set(self, workload: Object, conditions: dict[str, tuple[str, str, str]]) -> None:
        for kind, (status, reason, message) in conditions.items():
            set_condition(workload, kind, status, reason, message)
        metadata, status_now = workload["metadata"], workload["status"]
        self._api.edit(WORKLOADS, metadata["namespace"], metadata["name"], lambda obj: obj.update(status=status_now))


def queues(name: str, namespace: str, quota: dict[str, str]) -> tuple[Object, Object]:
    """Build a ClusterQueue with a quota and a LocalQueue of the same name."""
    resources = [{"name": resource, "nominalQuota": amount} for resource, amount in quota.items()]
    group = {"coveredResources": list(quota), "flavors": [{"name": "default", "resources": resources}]}
    cluster = {"metadata": {"name": name}, "spec": {"namespaceSelector": {}, "resourceGroups": [group]}}
    return cluster, {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterQueue": name}}


def _wanted(job: Object) -> dict[str, Decimal]:
    template = {"spec": job["spec"]["template"]["spec"]}
    one = quantity.of_pod(template["spec"]) or quantity.of_pod(template["spec"], "limits")
    return {name: amount * job["spec"]["parallelism"] for name, amount in one.items()}


def _lacking(queue: Object, wanted: dict[str, Decimal], used: dict[str, Decimal]) -> str:
    quotas = {
        item["name"]: quantity.parse(item["nominalQuota"])
        for group in queue["spec"].get("resourceGroups") or []
        for item in group["flavors"][0]["resources"]
    }
    for name, amount in sorted(wanted.items()):
        if name not in quotas:
            return f"resource {name} unavailable in ClusterQueue"
        if amount > quotas[name]:
            most = f"({quantity.show(amount)} > {quantity.show(quotas[name])})"
            return f"insufficient quota for {name} in flavor default, request > maximum capacity {most}"
        if (more := used.get(name, Decimal(0)) + amount - quotas[name]) > 0:
            return f"insufficient unused quota for {name} in flavor default, {quantity.show(more)} more needed"
    return ""
