"""The objects of a service: pure functions, the same objects for the same input."""

import base64
from typing import Any

import msgspec

from orchestrator.services.kubernetes.plan import GRPC_NAME, GRPC_PORT, PORT_NAME, SERVICE, STORE, Plan
from orchestrator.services.kubernetes.pod import pod_template

Json = dict[str, Any]
Key = tuple[str, str]  # kind, as in `apps/v1/deployments`, and name

PUBLIC = 80  # port of the Service
BUSY = 70  # per cent of the requested CPUs beyond which there are more replicas
PATIENCE = 660  # seconds for new pods to be ready
DEPLOYMENT, SERVICES, SECRETS = "apps/v1/deployments", "v1/services", "v1/secrets"
PDB, HPA = "policy/v1/poddisruptionbudgets", "autoscaling/v2/horizontalpodautoscalers"
INGRESS, ROUTE = "networking.k8s.io/v1/ingresses", "gateway.networking.k8s.io/v1/httproutes"


def manifests(plan: Plan) -> dict[Key, Json]:
    """Return all objects, by kind and name; what holds settings and token before what needs it."""
    name, shape = plan.name, plan.shape
    made: dict[Key, Json | None] = {
        (SECRETS, plan.secret): secret(plan, plan.secret, {"settings.json": msgspec.json.encode(plan.settings)}),
        (SECRETS, token_name(name)): secret(plan, token_name(name), {"token": plan.token.encode()})
        if plan.token
        else None,
        (DEPLOYMENT, name): deployment(plan),
        (SERVICES, name): service(plan),
        (PDB, name): budget(plan) if max(shape.replicas, shape.max_replicas) > 1 else None,
        (HPA, name): autoscaler(plan) if shape.max_replicas else None,
        (INGRESS, name): ingress(plan) if shape.ingress and not shape.gateway else None,
        (ROUTE, name): route(plan) if shape.gateway else None,
    }
    return {key: one for key, one in made.items() if one is not None}


def token_name(name: str) -> str:
    """Return the name of the Secret with a service's token."""
    return f"{name}-token"


def deployment(plan: Plan) -> Json:
    """Return the Deployment: no pod goes before the one in its place is ready."""
    made = _object(plan, "apps/v1", "Deployment", plan.name)
    made["metadata"]["annotations"] = {STORE: str(plan.site.store["store"])}
    made["spec"] = {
        "replicas": plan.replicas or plan.shape.replicas,
        "revisionHistoryLimit": 0,  # what was before is in the service's record
        "progressDeadlineSeconds": PATIENCE,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": {SERVICE: plan.name}},
        "template": pod_template(plan),
    }
    return made


def service(plan: Plan) -> Json:
    """Return the Service, by whose name the cluster's pods ask."""
    ports = [
        {"name": PORT_NAME, "port": PUBLIC, "targetPort": PORT_NAME},
        {"name": GRPC_NAME, "port": GRPC_PORT, "targetPort": GRPC_NAME, "appProtocol": "kubernetes.io/h2c"},
    ]
    spec = {"type": "ClusterIP", "selector": {SERVICE: plan.name}, "ports": ports}
    return {**_owned(plan, "v1", "Service", plan.name), "spec": spec}


def secret(plan: Plan, name: str, data: dict[str, bytes]) -> Json:
    """Return a Secret."""
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {**_owned(plan, "v1", "Secret", name), "type": "Opaque", "data": encoded}


def budget(plan: Plan) -> Json:
    """Return what has nodes be drained one replica at a time."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": {SERVICE: plan.name}},
    }
    return {**_owned(plan, "policy/v1", "PodDisruptionBudget", plan.name), "spec": spec}


def autoscaler(plan: Plan) -> Json:
    """Return what makes replicas as the load grows: as many as the busiest of these asks for.

    One engine at its limit hardly shows among several in a pod, so then each is looked at by itself.
    """
    measured: Json = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": BUSY}}
    engines = [host.name for host in plan.hosts] if len(plan.hosts) > 1 else []
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": plan.name},
        "minReplicas": plan.shape.replicas,
        "maxReplicas": plan.shape.max_replicas,
        "metrics": [
            {"type": "Resource", "resource": measured},
            *({"type": "ContainerResource", "containerResource": {**measured, "container": name}} for name in engines),
        ],
    }
    return {**_owned(plan, "autoscaling/v2", "HorizontalPodAutoscaler", plan.name), "spec": spec}


def ingress(plan: Plan) -> Json:
    """Return the Ingress of a host's name."""
    backend = {"service": {"name": plan.name, "port": {"name": PORT_NAME}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec = {"rules": [{"host": plan.shape.ingress, "http": {"paths": paths}}]}
    return {**_owned(plan, "networking.k8s.io/v1", "Ingress", plan.name), "spec": spec}


def route(plan: Plan) -> Json:
    """Return the HTTPRoute from a Gateway."""
    namespace, _, gateway = plan.shape.gateway.rpartition("/")
    spec: Json = {
        "parentRefs": [{"name": gateway} | ({"namespace": namespace} if namespace else {})],
        "rules": [{"backendRefs": [{"name": plan.name, "port": PUBLIC}]}],
    }
    if plan.shape.ingress:
        spec["hostnames"] = [plan.shape.ingress]
    return {**_owned(plan, "gateway.networking.k8s.io/v1", "HTTPRoute", plan.name), "spec": spec}


def _object(plan: Plan, version: str, kind: str, name: str) -> Json:
    metadata: Json = {"name": name, "namespace": plan.site.namespace, "labels": plan.labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _owned(plan: Plan, version: str, kind: str, name: str) -> Json:
    """Return the beginning of an object that goes with the Deployment."""
    made = _object(plan, version, kind, name)
    if plan.owner:
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": plan.name, "uid": plan.owner}
        made["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    return made
