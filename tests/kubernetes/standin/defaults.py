"""What the API server fills in when a manifest is silent."""

import secrets
import time
import uuid
from datetime import UTC, datetime

from tests.kubernetes.standin import quantity
from tests.kubernetes.standin.resources import DEPLOYMENTS, JOBS, NODES, PODS, Object, Resource

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # of generated names
EPOCH = "1970-01-01T00:00:00Z"
GRACE_SECONDS = 30
PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def now(at: float | None = None) -> str:
    """Write a time, of now if none is given, to the second, as Kubernetes does."""
    return datetime.fromtimestamp(time.time() if at is None else at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str) -> float:
    """Read a time, in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def suffix() -> str:
    """Give five random letters, as generated names end in."""
    return "".join(secrets.choice(_LETTERS) for _ in range(5))


def new_metadata(resource: Resource, obj: Object, namespace: str) -> None:
    """Give a new object its name, uid and time of birth."""
    metadata = obj["metadata"]
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"][:58] + suffix()
    for field in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields"):
        metadata.pop(field, None)
    if resource.namespaced:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = now()
    if resource in {DEPLOYMENTS, JOBS, PODS}:
        metadata["generation"] = 1


def fill_in(resource: Resource, obj: Object) -> None:
    """Fill in a new object's defaults."""
    spec = obj.setdefault("spec", {}) if resource.has_status else {}
    if resource == PODS:
        _pod(spec)
        obj["status"] = {"phase": "Pending", "qosClass": _qos(spec)}
    elif resource == JOBS:
        _job(obj)
        obj["status"] = {}
    elif resource == NODES:
        obj.setdefault("status", {})
    elif resource.plural == "namespaces":
        name = obj["metadata"]["name"]
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}
    elif resource.plural == "persistentvolumeclaims":
        spec.setdefault("volumeMode", "Filesystem")
        obj["status"] = {"phase": "Pending"}
    elif resource.plural == "secrets":
        obj.setdefault("type", "Opaque")
    elif resource.has_status and resource.schema:
        fill_in_again(resource, obj)
        obj["status"] = {}


def fill_in_again(resource: Resource, obj: Object) -> None:
    """Fill in what server-side apply has taken out of an object that there was."""
    if resource == DEPLOYMENTS:
        spec = obj["spec"]
        spec.setdefault("replicas", 1)
        spec.setdefault("progressDeadlineSeconds", 600)
        strategy = spec.setdefault("strategy", {})
        if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            for field in ("maxSurge", "maxUnavailable"):
                rolling.setdefault(field, "25%")
        _template(spec["template"].setdefault("spec", {}))


def _job(job: Object) -> None:
    spec, uid, name = job["spec"], job["metadata"]["uid"], job["metadata"]["name"]
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or []:
        for condition in rule.get("onPodConditions") or []:
            condition.setdefault("status", "True")
    if not spec.get("manualSelector"):
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
        labels = spec.setdefault("template", {}).setdefault("metadata", {}).setdefault("labels", {})
        labels |= {
            "batch.kubernetes.io/controller-uid": uid,
            "batch.kubernetes.io/job-name": name,
            "controller-uid": uid,
            "job-name": name,
        }
    _template(spec["template"].setdefault("spec", {}))


def _template(spec: Object) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", GRACE_SECONDS)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if account := spec.get("serviceAccountName"):
        spec["serviceAccount"] = account
    for volume in spec.get("volumes") or []:
        for kind in ("secret", "configMap", "projected", "downwardAPI"):
            if isinstance(volume.get(kind), dict):
                volume[kind].setdefault("defaultMode", 0o644)
        if isinstance(volume.get("hostPath"), dict):
            volume["hostPath"].setdefault("type", "")
    for part in ("initContainers", "containers"):
        for container in spec.get(part) or []:
            if isinstance(container, dict):
                _container(container)


def _container(container: Object) -> None:
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    image = container.get("image") or ""
    tag = image.rpartition("/")[2].partition(":")[2]
    fresh = "@" not in image and tag in {"", "latest"}
    container.setdefault("imagePullPolicy", "Always" if fresh else "IfNotPresent")
    resources = container.setdefault("resources", {})
    if resources.get("limits"):
        requests = resources.setdefault("requests", {})
        for name, amount in resources["limits"].items():
            requests.setdefault(name, amount)
    for probe in (container[kind] for kind in ("startupProbe", "readinessProbe", "livenessProbe") if kind in container):
        for field, value in PROBE.items():
            probe.setdefault(field, value)
    for variable in container.get("env") or []:
        if field := (variable.get("valueFrom") or {}).get("fieldRef"):
            field.setdefault("apiVersion", "v1")


def _pod(spec: Object) -> None:
    _template(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", 0)
    tolerations = spec.setdefault("tolerations", [])
    for trouble in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{trouble}"
        if not any(item.get("key") == key for item in tolerations):
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})


def _qos(spec: Object) -> str:
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    tables = [(quantity.of_container(item, "requests"), quantity.of_container(item, "limits")) for item in containers]
    wanted = [{name: table.get(name) for name in ("cpu", "memory")} for pair in tables for table in pair]
    if not any(amount for table in wanted for amount in table.values()):
        return "BestEffort"
    equal = all(requests.get(name) == limits.get(name) for requests, limits in tables for name in ("cpu", "memory"))
    return "Guaranteed" if equal and all(all(table.values()) for table in wanted) else "Burstable"
