"""The pod's spec: fetch, then the engine's image with sync beside it."""

from typing import Any

from orchestrator.backends.kubernetes import environment, security, volumes
from orchestrator.backends.kubernetes.affinity import with_gpu_type
from orchestrator.backends.kubernetes.images import from_registry
from orchestrator.backends.kubernetes.merge import strategic_merge
from orchestrator.backends.kubernetes.names import FETCH, MAIN, SYNC
from orchestrator.backends.kubernetes.order import Order, Site
from orchestrator.backends.kubernetes.resources import gpu_resource, main_resources, runtime_resources
from orchestrator.errors import SpecError
from orchestrator.specs.kubernetes import Kubernetes
from orchestrator.specs.kubernetes_parts import Toleration

Json = dict[str, Any]

LAUNCH = ["/bin/sh", f"{volumes.SHARED}/start/launch.sh"]
_RUNTIME = ["python", "-m", "orchestrator.runtime.pod"]
GRACE = 120  # seconds from SIGTERM to SIGKILL: for the script to save, and for sync to bring it to the store
DEADLINE_MARGIN = 2 * 3600  # seconds to pull images, fetch and save, beside the script's own `max_duration`


def pod_spec(order: Order, site: Site) -> Json:
    """Return the spec of the pod.

    Raises:
        SpecError: The spec's `kubernetes.pod` or `kubernetes.affinity` cannot be used.
        UsageError: The kind of GPU cannot be the value of a label, or there are too many nodes.
    """
    section = order.settled(site)
    spec = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": order.task.max_duration + DEADLINE_MARGIN,
        "terminationGracePeriodSeconds": GRACE,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": security.pod_security(section),
        **_placement(order, section),
        "initContainers": [
            _runtime(FETCH, order, site, section),
            {**_runtime(SYNC, order, site, section), "restartPolicy": "Always"},
        ],
        "containers": [_main(order, site, section)],
        "volumes": volumes.pod_volumes(order, site, section),
    }
    merged = strategic_merge(spec, section.pod, "kubernetes.pod")
    _require_ours(merged)
    return merged


def _placement(order: Order, section: Kubernetes) -> Json:
    """Return what says where the pod may run, and as whom; what is empty is left out."""
    found: Json = {
        "serviceAccountName": section.service_account,
        "priorityClassName": section.priority_class,
        "runtimeClassName": section.runtime_class,
        "imagePullSecrets": [{"name": name} for name in section.image_pull_secrets],
        "nodeSelector": section.node_selector,
        "affinity": with_gpu_type(section.affinity, order.sizes.gpu_type if order.sizes.gpus else None),
        "tolerations": _tolerations(order, section),
        "subdomain": order.name if order.nodes > 1 else None,
    }
    return {key: value for key, value in found.items() if value}


def _tolerations(order: Order, section: Kubernetes) -> list[Json]:
    """Return the spec's tolerations, after that of the taint which keeps pods without GPU off nodes with GPUs."""
    own = [_toleration(one) for one in section.tolerations]
    if not order.sizes.gpus:
        return own
    gpu = {"key": gpu_resource(section), "operator": "Exists", "effect": "NoSchedule"}
    return [gpu, *(one for one in own if one != gpu)]


def _toleration(one: Toleration) -> Json:
    fields = {
        "key": one.key,
        "operator": one.operator or ("Exists" if one.value is None else "Equal"),
        "value": one.value,
        "effect": one.effect,
        "tolerationSeconds": one.toleration_seconds,
    }
    return {key: value for key, value in fields.items() if value not in (None, "")}


def _main(order: Order, site: Site, section: Kubernetes) -> Json:
    # An image that the spec names is meant as it stands there; the registry is for those that mlctl chooses.
    image = section.image or from_registry(order.image, site.image_registry)
    found: Json = {
        "name": MAIN,
        "image": image,
        "imagePullPolicy": section.image_pull_policy,
        "command": LAUNCH,
        "env": environment.main_environment(order, site, section),
        "envFrom": environment.main_sources(section),
        "resources": main_resources(order.sizes, section),
        "securityContext": security.main_security(section),
        "volumeMounts": volumes.main_mounts(section),
    }
    return {key: value for key, value in found.items() if value}


def _runtime(name: str, order: Order, site: Site, section: Kubernetes) -> Json:
    found: Json = {
        "name": name,
        "image": from_registry(site.runtime_image, site.image_registry),
        "imagePullPolicy": section.image_pull_policy,
        "command": [*_RUNTIME, name],
        "env": environment.runtime_environment(order, site),
        "resources": runtime_resources(),
        "securityContext": security.runtime_security(section),
        "volumeMounts": volumes.runtime_mounts(site),
        "terminationMessagePolicy": "FallbackToLogsOnError",  # what fetch said last, for who looks at the pod alone
    }
    return {key: value for key, value in found.items() if value}


def _require_ours(spec: Json) -> None:
    """Refuse what a job cannot work without, if `kubernetes.pod` took it away."""
    containers = {one["name"]: one for part in ("initContainers", "containers") for one in spec.get(part) or []}
    for name in (FETCH, SYNC, MAIN):
        if not (containers.get(name) or {}).get("image"):
            hint = "containers are lists of mappings with a `name`; what is not named stays as it is"
            raise SpecError(f"`kubernetes.pod` leaves no container `{name}`, which every job needs", hint=hint)
    if containers[MAIN].get("command") != LAUNCH or containers[MAIN].get("args"):
        hint = "the script is what `boot_file` names"
        raise SpecError("`kubernetes.pod` must not change what the container `main` is started with", hint=hint)
    if spec.get("restartPolicy") != "Never":
        raise SpecError("`kubernetes.pod` must leave `restartPolicy: Never`", hint="use `kubernetes.retries`")
