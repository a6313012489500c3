"""The pod: fetch, then an engine's own image for each engine in use, and the front before them.

The engines' containers are sidecars, so that a pod that ends lets the front answer what it was asked before they go.
"""

from typing import Any

from orchestrator.backends.kubernetes import environment, security, volumes
from orchestrator.backends.kubernetes.images import from_registry
from orchestrator.backends.kubernetes.names import FETCH
from orchestrator.backends.kubernetes.resources import gpu_resource, main_resources, runtime_resources
from orchestrator.services.kubernetes.plan import (
    FRONT,
    GRPC_NAME,
    GRPC_PORT,
    PORT,
    PORT_NAME,
    REVISION,
    SERVICE,
    TFSERVING_PORT,
    Host,
    Plan,
)
from orchestrator.serving.model_server import MODELS_CONFIG
from orchestrator.serving.process import LOAD
from orchestrator.specs.flavors import Flavor

Json = dict[str, Any]

LEAVE = 5  # seconds between a pod's end and the moment at which surely nobody sends it requests any more
GRACE = 60  # seconds from there to SIGKILL: longer than the front waits for requests under way
SETTINGS = "/etc/mlctl-service"  # where the Secret with the settings is mounted
_HEALTH: Json = {"httpGet": {"path": "/health", "port": PORT_NAME}}


def pod_template(plan: Plan) -> Json:
    """Return the template of the pods."""
    section, site = plan.site.defaults, plan.site
    spec: Json = {
        "terminationGracePeriodSeconds": GRACE,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": security.pod_security(section),
        "topologySpreadConstraints": [_spread(plan)],
        "initContainers": [_fetch(plan), *(_host(plan, host) for host in plan.hosts)],
        "containers": [_front(plan)],
        "volumes": [
            *volumes.runtime_volumes(site),
            {"name": "settings", "secret": {"secretName": plan.secret}},
        ],
    }
    if section.service_account:
        spec["serviceAccountName"] = section.service_account
    if plan.shape.gpus:
        spec["tolerations"] = [{"key": gpu_resource(section), "operator": "Exists", "effect": "NoSchedule"}]
    annotations = {"kubectl.kubernetes.io/default-container": FRONT}
    labels = {**plan.labels, REVISION: plan.revision}
    return {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}


def _spread(plan: Plan) -> Json:
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {SERVICE: plan.name}},
    }


def _fetch(plan: Plan) -> Json:
    mounts = [*volumes.runtime_mounts(plan.site), {"name": "settings", "mountPath": SETTINGS, "readOnly": True}]
    return {
        "name": FETCH,
        "image": from_registry(plan.site.runtime_image, plan.site.image_registry),
        "command": ["python", "-m", "orchestrator.serving.fetch", f"{SETTINGS}/settings.json", volumes.SHARED],
        "env": environment.store_environment(plan.site),
        "resources": runtime_resources(),
        "securityContext": security.runtime_security(plan.site.defaults),
        "volumeMounts": mounts,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _host(plan: Plan, host: Host) -> Json:
    shape, section = plan.shape, plan.site.defaults
    sizes = Flavor(name="", cpus=shape.cpus, memory=shape.memory, gpus=shape.gpus)
    return {
        "name": host.name,
        "image": host.image,
        "restartPolicy": "Always",
        "command": _command(host),
        "env": [{"name": name, "value": value} for name, value in sorted(host.environment.items())],
        "resources": main_resources(sizes, section),
        "securityContext": security.main_security(section),
        "volumeMounts": [{"name": "mlctl", "mountPath": volumes.SHARED}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _command(host: Host) -> list[str]:
    if not host.server:
        return ["/bin/sh", f"{volumes.SHARED}/guest/serving/host.sh", host.socket]
    models = f"--model_config_file={volumes.SHARED}/{MODELS_CONFIG}"
    return ["tensorflow_model_server", f"--rest_api_port={TFSERVING_PORT}", models]


def _front(plan: Plan) -> Json:
    return {
        "name": FRONT,
        "image": from_registry(plan.site.runtime_image, plan.site.image_registry),
        "command": ["python", "-m", "orchestrator.serving", f"{volumes.SHARED}/settings.json"],
        "env": [{"name": "TMPDIR", "value": volumes.SHARED}],  # its sockets are where the engines' containers see them
        "ports": [{"name": PORT_NAME, "containerPort": PORT}, {"name": GRPC_NAME, "containerPort": GRPC_PORT}],
        "resources": {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": security.runtime_security(plan.site.defaults),
        "volumeMounts": [{"name": "mlctl", "mountPath": volumes.SHARED}],
        # It listens when all versions are loaded. Later a version that has died is the front's business: a pod that
        # were not ready for it would take the others' requests along.
        "startupProbe": {**_HEALTH, "periodSeconds": 1, "failureThreshold": int(LOAD) + GRACE},
        "readinessProbe": {**_HEALTH, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**_HEALTH, "periodSeconds": 10, "timeoutSeconds": 10, "failureThreshold": 6},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(LEAVE)]}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
