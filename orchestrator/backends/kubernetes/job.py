"""The Job object: pods of one job version, and what becomes of them when one fails."""

import hashlib
from typing import Any

import msgspec

from orchestrator.backends.kubernetes.names import DIGEST, FETCH, MAIN, QUEUE, labels
from orchestrator.backends.kubernetes.order import Order, Site
from orchestrator.backends.kubernetes.pod import pod_spec
from orchestrator.specs.kubernetes import DEFAULT_TTL, Kubernetes
from orchestrator.specs.quantities import parse_duration

Json = dict[str, Any]

NO_RETRY = 64  # exit code of fetch: no other attempt can succeed
_POD_ANNOTATIONS = {
    "kubectl.kubernetes.io/default-container": MAIN,
    # Autoscalers would end a job to save a node.
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}


def job_manifest(order: Order, site: Site) -> Json:
    """Return the Job object of a job version; the same for the same input.

    Raises:
        SpecError: The spec's `kubernetes.pod` or `kubernetes.affinity` cannot be used.
        UsageError: The kind of GPU cannot be the value of a label, or there are too many nodes.
    """
    section = order.settled(site)
    own = labels(order.task.job, order.task.version, order.run, order.name)
    queue = {QUEUE: section.queue} if section.queue else {}
    manifest: Json = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": order.name,
            "namespace": site.namespace,
            "labels": {**section.labels, **own, **queue},
            "annotations": dict(section.annotations),
        },
        "spec": {
            **({"suspend": True} if section.queue else {}),  # Kueue starts it
            "completionMode": "Indexed",
            "completions": order.nodes,
            "parallelism": order.nodes,
            "backoffLimit": section.retries or 0,
            "podReplacementPolicy": "Failed",  # two pods of one worker would both write its log
            "podFailurePolicy": {"rules": _failure_rules(section)},
            "ttlSecondsAfterFinished": parse_duration(DEFAULT_TTL if section.ttl is None else section.ttl),
            "template": {
                "metadata": {
                    "labels": {**section.labels, **own},
                    "annotations": {**_POD_ANNOTATIONS, **section.annotations},
                },
                "spec": pod_spec(order, site),
            },
        },
    }
    manifest["metadata"]["annotations"][DIGEST] = manifest_digest(manifest)
    return manifest


def manifest_digest(manifest: Json) -> str:
    """Return the hash of a manifest, which tells whether an object of its name was made from the same one."""
    metadata = manifest["metadata"]
    rest = {key: value for key, value in metadata["annotations"].items() if key != DIGEST}
    plain = {**manifest, "metadata": {**metadata, "annotations": rest}}
    return hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()


def _failure_rules(section: Kubernetes) -> list[Json]:
    """Return which failures of a pod count; the first rule that fits decides.

    https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
    """
    rules: list[Json] = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"containerName": FETCH, "operator": "In", "values": [NO_RETRY]}},
    ]
    if not section.retries:
        failed = {"containerName": MAIN, "operator": "NotIn", "values": [0]}
        rules.append({"action": "FailJob", "onExitCodes": failed})
    return rules
