"""The pods of a Job: which there are, how they are made, and what a failed one means."""

import copy
from typing import Literal, NamedTuple

from tests.kubernetes.standin import defaults
from tests.kubernetes.standin.pod import FINAL
from tests.kubernetes.standin.resources import Object

TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"


class Action(NamedTuple):
    """What a Job does about a failed pod.

    Attributes:
        kind: As in its podFailurePolicy.
        message: Why, if the Job fails.
    """

    kind: Literal["FailJob", "Ignore", "Count", "FailIndex"]
    message: str


def is_over(pod: Object) -> bool:
    """Say whether nothing of a pod runs any more."""
    return pod["status"].get("phase") in FINAL


def has_failed(job: Object, pod: Object) -> bool:
    """Say whether a pod counts as failed: also one that is being deleted, unless only failed ones are replaced."""
    if pod["status"].get("phase") == "Failed":
        return True
    ending = "deletionTimestamp" in pod["metadata"] and pod["status"].get("phase") != "Succeeded"
    return ending and job["spec"]["podReplacementPolicy"] != "Failed"


def is_active(pod: Object) -> bool:
    """Say whether a pod is to go on."""
    return not is_over(pod) and "deletionTimestamp" not in pod["metadata"]


def index_of(pod: Object) -> int:
    """Give the completion index of a pod; -1 if it has none."""
    return int((pod["metadata"].get("annotations") or {}).get(INDEX, -1))


def action(job: Object, pod: Object) -> Action:
    """Say what the Job's podFailurePolicy says of a failed pod."""
    for number, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or []):
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        if codes := rule.get("onExitCodes"):
            for container, code in _exit_codes(pod, codes.get("containerName")):
                if (code in codes["values"]) == (codes["operator"] == "In"):
                    told = f"Container {container} for pod {namespace}/{name} failed with exit code {code}"
                    return Action(rule["action"], f"{told} matching {rule['action']} rule at index {number}")
        for pattern in rule.get("onPodConditions") or []:
            for condition in pod["status"].get("conditions") or []:
                if (condition["type"], condition["status"]) == (pattern["type"], pattern["status"]):
                    told = f"Pod {namespace}/{name} has condition {condition['type']}"
                    return Action(rule["action"], f"{told} matching {rule['action']} rule at index {number}")
    return Action("Count", "")


def _exit_codes(pod: Object, only: str | None) -> list[tuple[str, int]]:
    status = pod["status"]
    return [
        (item["name"], item["state"]["terminated"]["exitCode"])
        for part in ("initContainerStatuses", "containerStatuses")
        for item in status.get(part) or []
        if item["state"].get("terminated", {}).get("exitCode") and only in {None, item["name"]}
    ]


def build(job: Object, index: int | None) -> Object:
    """Build a pod of a Job, the one with a completion index if one is given."""
    name, spec = job["metadata"]["name"], copy.deepcopy(job["spec"]["template"]["spec"])
    metadata = copy.deepcopy(job["spec"]["template"].get("metadata") or {})
    kept = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
    base = name
    if index is not None:
        base = f"{name}-{index}"
        for table in ("labels", "annotations"):
            kept.setdefault(table, {})[INDEX] = str(index)
        spec.setdefault("hostname", base)
        source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}
        for part in ("initContainers", "containers"):
            for container in spec.get(part) or []:
                variables = container.setdefault("env", [])
                if not any(item["name"] == "JOB_COMPLETION_INDEX" for item in variables):
                    variables.append({"name": "JOB_COMPLETION_INDEX", "valueFrom": source})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **kept,
            "name": f"{base[:57]}-{defaults.suffix()}",
            "generateName": f"{base}-",
            "finalizers": [TRACKING],
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": name,
                    "uid": job["metadata"]["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": spec,
    }


def write_indexes(indexes: set[int]) -> str:
    """Write a set of indexes as `completedIndexes` does: `0,2-4`."""
    parts: list[list[int]] = []
    for index in sorted(indexes):
        if parts and index == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], index]
        else:
            parts.append([index])
    return ",".join(
        "-".join(map(str, part)) if len(part) == 2 and part[1] > part[0] + 1 else ",".join(map(str, part))
        for part in parts
    )


def read_indexes(text: str) -> set[int]:
    """Read what `write_indexes` has written."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found
