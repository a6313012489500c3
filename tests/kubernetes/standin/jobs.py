"""The Job controller."""

import copy
import time
from collections.abc import Iterable

from tests.kubernetes.standin import jobpods
from tests.kubernetes.standin.api import Api, DeleteOptions
from tests.kubernetes.standin.conditions import set_condition
from tests.kubernetes.standin.defaults import now, seconds
from tests.kubernetes.standin.events import Recorder
from tests.kubernetes.standin.jobpods import TRACKING
from tests.kubernetes.standin.resources import JOBS, PODS, Object
from tests.kubernetes.standin.status import ApiError
from tests.kubernetes.standin.store import Change, Key

REACHED = ("CompletionsReached", "Reached expected number of succeeded pods")
TOO_OFTEN = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
TOO_LONG = ("DeadlineExceeded", "Job was active longer than specified deadline")


class JobController:
    """Makes the pods of Jobs, counts how they end and says when a Job is over."""

    def __init__(self, api: Api, retry_backoff: float) -> None:
        """Make it.

        Args:
            api: Of the cluster.
            retry_backoff: Seconds before a failed pod is replaced, doubled with each failure (10 in a real cluster).
        """
        self._api = api
        self._backoff = retry_backoff
        self._events = Recorder(api, "job-controller")
        self._pods: dict[str, set[Key]] = {}
        self._failures: dict[str, tuple[int, float]] = {}

    def keys(self, change: Change) -> Iterable[Key]:
        """Jobs, and those whose pods changed."""
        metadata = change.entry.value["metadata"]
        key = metadata.get("namespace", ""), metadata["name"]
        if change.resource == JOBS:
            yield key
        elif change.resource == PODS:
            for owner in metadata.get("ownerReferences") or []:
                if owner["kind"] == "Job" and owner.get("controller"):
                    known = self._pods.setdefault(owner["uid"], set())
                    (known.discard if change.kind == "DELETED" else known.add)(key)
                    yield key[0], owner["name"]

    def reconcile(self, key: Key) -> float | None:
        """Bring a Job a step further; gives the seconds after which its next moment comes."""
        entry = self._api.store.find(JOBS, *key)
        if entry is None:
            self._release_orphans()
            return None
        job = entry.copy()
        pods = self._pods_of(job)
        if job["spec"].get("managedBy", "kubernetes.io/job-controller") != "kubernetes.io/job-controller":
            return None
        if condition(job, "Complete") or condition(job, "Failed"):
            self._untrack(pods)
            return self._outlive(job)
        if "deletionTimestamp" in job["metadata"]:
            self._untrack([pod for pod in pods if jobpods.is_over(pod) or "deletionTimestamp" in pod["metadata"]])
            return None
        moments: list[float] = []
        status = job["status"]
        before = copy.deepcopy(status)
        self._count(job, pods)
        if not job["spec"]["suspend"]:
            status.setdefault("startTime", now())
        self._judge(job, pods, moments)
        active = [pod for pod in pods if jobpods.is_active(pod)]
        ending = [pod for pod in pods if "deletionTimestamp" in pod["metadata"] and not jobpods.is_over(pod)]
        if condition(job, "FailureTarget") or condition(job, "SuccessCriteriaMet"):
            self._delete(job, active)
            self._finish(job, [*active, *ending])
            active, ending = [], [*active, *ending]
        elif job["spec"]["suspend"]:
            self._suspend(job, active)
            active, ending = [], [*active, *ending]
        else:
            self._resume(job)
            active += self._create(job, active, ending, moments)
        self._tell(job, active, ending)
        if status != before:
            self._write(key, status)
        self._untrack([pod for pod in pods if jobpods.is_over(pod) or jobpods.has_failed(job, pod)])
        return min(moments) if moments else None

    def _pods_of(self, job: Object) -> list[Object]:
        found = [self._api.store.find(PODS, *key) for key in sorted(self._pods.get(job["metadata"]["uid"], ()))]
        return [entry.value for entry in found if entry]

    def _count(self, job: Object, pods: list[Object]) -> None:
        """Count the pods that have ended since the last look: those that are still tracked."""
        status = job["status"]
        done = jobpods.read_indexes(status.get("completedIndexes", ""))
        indexed = job["spec"]["completionMode"] == "Indexed"
        for pod in pods:
            if TRACKING not in (pod["metadata"].get("finalizers") or []):
                continue
            uid = job["metadata"]["uid"]
            if pod["status"].get("phase") == "Succeeded":
                index = jobpods.index_of(pod)
                if not indexed or (index not in done and 0 <= index < job["spec"]["completions"]):
                    status["succeeded"] = status.get("succeeded", 0) + 1
                    done.add(index)
                self._failures.pop(uid, None)
                continue
            if not jobpods.has_failed(job, pod):
                continue
            verdict = jobpods.action(job, pod)
            self._failures[uid] = (self._failures.get(uid, (0, 0.0))[0] + 1, time.monotonic())
            if verdict.kind != "Ignore":
                status["failed"] = status.get("failed", 0) + 1
            if verdict.kind == "FailJob" and not condition(job, "FailureTarget"):
                set_condition(job, "FailureTarget", "True", "PodFailurePolicy", verdict.message)
        if indexed and done:
            status["completedIndexes"] = jobpods.write_indexes(done)

    def _judge(self, job: Object, pods: list[Object], moments: list[float]) -> None:
        """Say whether the Job is to end."""
        spec, status = job["spec"], job["status"]
        if condition(job, "FailureTarget") or condition(job, "SuccessCriteriaMet"):
            return
        restarts = sum(
            item["restartCount"]
            for pod in pods
            if spec["template"]["spec"]["restartPolicy"] == "OnFailure" and jobpods.is_active(pod)
            for part in ("initContainerStatuses", "containerStatuses")
            for item in pod["status"].get(part) or []
        )
        succeeded, wanted = status.get("succeeded", 0), spec.get("completions")
        if status.get("failed", 0) > spec["backoffLimit"] or restarts > spec["backoffLimit"] > 0:
            set_condition(job, "FailureTarget", "True", *TOO_OFTEN)
        elif succeeded and (succeeded >= wanted if wanted is not None else not any(map(jobpods.is_active, pods))):
            set_condition(job, "SuccessCriteriaMet", "True", *REACHED)
        elif (limit := spec.get("activeDeadlineSeconds")) and status.get("startTime"):
            left = seconds(status["startTime"]) + limit - time.time()
            if left <= 0:
                set_condition(job, "FailureTarget", "True", *TOO_LONG)
            else:
                moments.append(left)

    def _finish(self, job: Object, still: list[Object]) -> None:
        """Say that the Job is over, once nothing of it runs any more."""
        if still:
            return
        failure = condition(job, "FailureTarget")
        if failure:
            set_condition(job, "Failed", "True", failure["reason"], failure["message"])
            self._events.warning(job, failure["reason"], failure["message"])
        else:
            set_condition(job, "Complete", "True", *REACHED)
            job["status"]["completionTime"] = now()
            self._events.normal(job, "Completed", "Job completed")

    def _suspend(self, job: Object, active: list[Object]) -> None:
        self._delete(job, active)
        job["status"].pop("startTime", None)
        if not condition(job, "Suspended"):
            set_condition(job, "Suspended", "True", "JobSuspended", "Job suspended")
            self._events.normal(job, "Suspended", "Job suspended")

    def _resume(self, job: Object) -> None:
        if condition(job, "Suspended"):
            set_condition(job, "Suspended", "False", "JobResumed", "Job resumed")
            job["status"]["startTime"] = now()
            self._events.normal(job, "Resumed", "Job resumed")

    def _create(self, job: Object, active: list[Object], ending: list[Object], moments: list[float]) -> list[Object]:
        """Make the pods that are missing."""
        spec, status = job["spec"], job["status"]
        held = [*active, *(ending if spec["podReplacementPolicy"] == "Failed" else [])]
        done = jobpods.read_indexes(status.get("completedIndexes", ""))
        indexes: list[int | None]
        room = spec["parallelism"] - len(held)
        if spec["completionMode"] == "Indexed":
            taken = done | {jobpods.index_of(pod) for pod in held}
            indexes = [index for index in range(spec["completions"]) if index not in taken][: max(0, room)]
        else:
            left = (
                spec["parallelism"]
                if spec.get("completions") is None
                else spec["completions"] - status.get("succeeded", 0)
            )
            if spec.get("completions") is None and status.get("succeeded"):
                left = 0
            indexes = [None] * max(0, min(room, left - len(held)))
        if not indexes:
            return []
        count, last = self._failures.get(job["metadata"]["uid"], (0, 0.0))
        wait = last + self._backoff * 2 ** (count - 1) - time.monotonic() if count else 0.0
        if wait > 0:
            moments.append(wait)
            return []
        made = []
        for index in indexes:
            try:
                entry = self._api.create(PODS, job["metadata"]["namespace"], jobpods.build(job, index))
            except ApiError as error:
                self._events.warning(job, "FailedCreate", f"Error creating: {error}")
                uid = job["metadata"]["uid"]
                moments.append(max(self._backoff, 0.2) if uid else 0.2)
                break
            made.append(entry.value)
            self._events.normal(job, "SuccessfulCreate", f"Created pod: {entry.value['metadata']['name']}")
        return made

    def _delete(self, job: Object, pods: list[Object]) -> None:
        for pod in pods:
            metadata = pod["metadata"]
            self._api.delete(
                PODS, metadata["namespace"], metadata["name"], DeleteOptions(propagation_policy="Background")
            )
            self._events.normal(job, "SuccessfulDelete", f"Deleted pod: {metadata['name']}")

    def _tell(self, job: Object, active: list[Object], ending: list[Object]) -> None:
        status = job["status"]
        ready = sum(
            any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"].get("conditions") or [])
            for pod in active
        )
        status |= {"active": len(active), "ready": ready, "terminating": len(ending), "uncountedTerminatedPods": {}}
        if not active:
            del status["active"]

    def _write(self, key: Key, status: Object) -> None:
        def write(job: Object) -> None:
            job["status"] = status

        self._api.edit(JOBS, *key, write)

    def _untrack(self, pods: list[Object]) -> None:
        """Let pods go that have been counted."""
        for pod in pods:
            finalizers = pod["metadata"].get("finalizers") or []
            if TRACKING in finalizers:

                def release(pod: Object) -> None:
                    left = [name for name in pod["metadata"].get("finalizers") or [] if name != TRACKING]
                    pod["metadata"]["finalizers"] = left
                    if not left:
                        del pod["metadata"]["finalizers"]

                self._api.edit(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"], release)

    def _release_orphans(self) -> None:
        """Let the pods go whose Job is no more."""
        alive = {entry.value["metadata"]["uid"] for entry in self._api.store.entries(JOBS)}
        for uid in set(self._pods) - alive:
            found = [self._api.store.find(PODS, *key) for key in self._pods[uid]]
            self._untrack([entry.value for entry in found if entry])
            if not any(found):
                del self._pods[uid]

    def _outlive(self, job: Object) -> float | None:
        """Delete a Job that is over when its time has come."""
        lifetime = job["spec"].get("ttlSecondsAfterFinished")
        if lifetime is None or "deletionTimestamp" in job["metadata"]:
            return None
        over = condition(job, "Complete") or condition(job, "Failed") or {}
        left = seconds(over["lastTransitionTime"]) + float(lifetime) - time.time()
        if left > 0:
            return left
        metadata = job["metadata"]
        options = DeleteOptions(propagation_policy="Foreground")
        self._api.delete(JOBS, metadata["namespace"], metadata["name"], options)
        return None


def condition(obj: Object, kind: str) -> Object | None:
    """Give a condition of an object if it is true."""
    for item in obj["status"].get("conditions") or []:
        if item["type"] == kind and item["status"] == "True":
            found: Object = item
            return found
    return None
