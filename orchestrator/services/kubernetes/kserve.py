"""A service as KServe runs it: an InferenceService with a predictor of its own.

https://kserve.github.io/website/docs/model-serving/predictive-inference/frameworks/custom-predictor
"""

from typing import Any

from orchestrator.services.kubernetes.manifests import deployment, manifests
from orchestrator.services.kubernetes.plan import PORT, SERVICE, Plan

Json = dict[str, Any]

_CONTAINER = "kserve-container"  # the name by which KServe knows whom to ask


def kserve_manifests(plan: Plan) -> list[Json]:
    """Return the InferenceService and the Secrets that it needs."""
    template = deployment(plan)["spec"]["template"]
    spec = template["spec"]
    (front,) = spec["containers"]
    # KServe makes probes and ports of its own where there are none, and knows ports by their numbers.
    front = {**front, "name": _CONTAINER, "ports": [{"containerPort": PORT, "protocol": "TCP"}]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        front[probe] = {**front[probe], "httpGet": {"path": "/health", "port": PORT}}
    replicas = {"minReplicas": plan.shape.replicas, "maxReplicas": plan.shape.max_replicas or plan.shape.replicas}
    made = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": plan.name,
            "namespace": plan.site.namespace,
            "labels": {key: value for key, value in plan.labels.items() if key != SERVICE},
            # With Knative the pods could have neither init containers nor volumes, unless its administrators allow it.
            "annotations": {"serving.kserve.io/deploymentMode": "RawDeployment"},
        },
        "spec": {"predictor": {**replicas, **spec, "containers": [front]}},
    }
    return [*(one for one in manifests(plan).values() if one["kind"] == "Secret"), made]
