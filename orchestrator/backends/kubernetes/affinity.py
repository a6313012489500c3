"""Which nodes a pod may run on: the spec's affinity together with the kind of GPU."""

from typing import Any

from orchestrator.backends.kubernetes.gpus import node_terms
from orchestrator.errors import SpecError

Json = dict[str, Any]

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def with_gpu_type(affinity: Json, gpu_type: str | None) -> Json:
    """Return the affinity, which also asks for nodes with a kind of GPU.

    Terms are alternatives: both a term of the spec and one of the GPU's have to fit, so each goes with each.

    Args:
        affinity: Of the spec; it stays as it is.
        gpu_type: Kind of GPU, or None.

    Raises:
        SpecError: The affinity is not one.
        UsageError: No label can have the kind's name.
    """
    if not gpu_type:
        return affinity
    node = _mapping(affinity, "nodeAffinity", "kubernetes.affinity")
    required = _mapping(node, _REQUIRED, "kubernetes.affinity.nodeAffinity")
    own = required.get("nodeSelectorTerms") or [{}]
    if not isinstance(own, list) or not all(isinstance(term, dict) for term in own):
        raise SpecError(f"`kubernetes.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms` must be a list of mappings")
    terms = [_both(first, second) for first in own for second in node_terms(gpu_type)]
    return {**affinity, "nodeAffinity": {**node, _REQUIRED: {**required, "nodeSelectorTerms": terms}}}


def _mapping(holder: Json, key: str, path: str) -> Json:
    value = holder.get(key) or {}
    if not isinstance(value, dict):
        raise SpecError(f"`{path}.{key}` must be a mapping, as in Kubernetes")
    return value


def _both(first: Json, second: Json) -> Json:
    expressions = [*(first.get("matchExpressions") or []), *second["matchExpressions"]]
    return {**first, "matchExpressions": expressions}
