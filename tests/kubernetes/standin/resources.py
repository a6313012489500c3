"""The resources that the stand-in serves."""

from typing import Any, TypeAlias

import msgspec

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object as it is in JSON."""


class Resource(msgspec.Struct, frozen=True):
    """One kind of object.

    Attributes:
        plural: Its name in paths.
        kind: Its name in objects.
        group: Of the API; empty for the core.
        version: Of the group.
        namespaced: Whether its objects live in namespaces.
        schema: The name of its definition in the published schemas; empty if there is none (custom resources).
        short: The names that kubectl takes for it.
        has_status: Whether `/status` is a resource of its own, so that a write to the object leaves its status alone.
    """

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    schema: str = ""
    short: tuple[str, ...] = ()
    has_status: bool = False

    @property
    def api_version(self) -> str:
        """What objects say of themselves, such as `batch/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """What error messages call it, such as `jobs.batch`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def full_kind(self) -> str:
        """What validation messages call it, such as `Job.batch`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind


def _core(plural: str, kind: str, *short: str, namespaced: bool = True, has_status: bool = False) -> Resource:
    return Resource(
        plural, kind, namespaced=namespaced, schema=f"io.k8s.api.core.v1.{kind}", short=short, has_status=has_status
    )


def _kueue(plural: str, kind: str, *, namespaced: bool = True) -> Resource:
    return Resource(plural, kind, "kueue.x-k8s.io", "v1beta1", namespaced=namespaced, has_status=True)


PODS = _core("pods", "Pod", "po", has_status=True)
EVENTS = _core("events", "Event", "ev")
NODES = _core("nodes", "Node", "no", namespaced=False, has_status=True)
NAMESPACES = _core("namespaces", "Namespace", "ns", namespaced=False, has_status=True)
SECRETS = _core("secrets", "Secret")
CONFIG_MAPS = _core("configmaps", "ConfigMap", "cm")
QUOTAS = _core("resourcequotas", "ResourceQuota", "quota", has_status=True)
LIMIT_RANGES = _core("limitranges", "LimitRange", "limits")
CLAIMS = _core("persistentvolumeclaims", "PersistentVolumeClaim", "pvc", has_status=True)
JOBS = Resource("jobs", "Job", "batch", schema="io.k8s.api.batch.v1.Job", has_status=True)
PRIORITY_CLASSES = Resource(
    "priorityclasses",
    "PriorityClass",
    "scheduling.k8s.io",
    namespaced=False,
    schema="io.k8s.api.scheduling.v1.PriorityClass",
    short=("pc",),
)
SERVICES = _core("services", "Service", "svc", has_status=True)
DEPLOYMENTS = Resource("deployments", "Deployment", "apps", schema="io.k8s.api.apps.v1.Deployment", has_status=True)
WORKLOADS = _kueue("workloads", "Workload")
LOCAL_QUEUES = _kueue("localqueues", "LocalQueue")
CLUSTER_QUEUES = _kueue("clusterqueues", "ClusterQueue", namespaced=False)

PENDING_WORKLOADS = Resource("localqueues", "LocalQueue", "visibility.kueue.x-k8s.io", "v1beta1")
"""Has nothing but the part `pendingworkloads`."""

RESOURCES = (
    PODS,
    EVENTS,
    NODES,
    NAMESPACES,
    SECRETS,
    CONFIG_MAPS,
    QUOTAS,
    LIMIT_RANGES,
    CLAIMS,
    SERVICES,
    _core("serviceaccounts", "ServiceAccount", "sa"),
    JOBS,
    PRIORITY_CLASSES,
    Resource("roles", "Role", "rbac.authorization.k8s.io", schema="io.k8s.api.rbac.v1.Role"),
    Resource("rolebindings", "RoleBinding", "rbac.authorization.k8s.io", schema="io.k8s.api.rbac.v1.RoleBinding"),
    Resource("networkpolicies", "NetworkPolicy", "networking.k8s.io", schema="io.k8s.api.networking.v1.NetworkPolicy"),
    DEPLOYMENTS,
    Resource(
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        "policy",
        schema="io.k8s.api.policy.v1.PodDisruptionBudget",
        has_status=True,
    ),
    Resource(
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        "autoscaling",
        "v2",
        schema="io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
        has_status=True,
    ),
    Resource("ingresses", "Ingress", "networking.k8s.io", schema="io.k8s.api.networking.v1.Ingress", has_status=True),
    Resource("httproutes", "HTTPRoute", "gateway.networking.k8s.io", has_status=True),
    WORKLOADS,
    LOCAL_QUEUES,
    CLUSTER_QUEUES,
    PENDING_WORKLOADS,
)

BY_PATH = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}
BY_KIND = {(resource.api_version, resource.kind): resource for resource in RESOURCES}


def named(name: str) -> Resource:
    """Find a resource by its plural name, such as `pods`."""
    return next(resource for resource in RESOURCES if resource.plural == name)
