"""What the user may do in the namespace."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from orchestrator.amounts import count
from orchestrator.backends.kubernetes.api import Api
from orchestrator.config import Context
from orchestrator.doctor.finding import Finding, Level
from orchestrator.store.gather import gather

_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Right(NamedTuple):
    """Verbs on a resource.

    Attributes:
        group: Of the API; empty is the core.
        resource: With its part, as in `pods/log`.
        verbs: As in a Role.
        purpose: What does not work without; empty if nothing does.
    """

    group: str
    resource: str
    verbs: tuple[str, ...]
    purpose: str = ""

    @property
    def rule(self) -> str:
        """Return the rule of a Role that gives it, as YAML in one line."""
        verbs = ", ".join(f'"{verb}"' for verb in self.verbs)
        return f'{{apiGroups: ["{self.group}"], resources: ["{self.resource}"], verbs: [{verbs}]}}'


NEEDED = (
    Right("batch", "jobs", ("create", "get", "list", "watch", "delete")),
    Right("", "pods", ("get", "list", "watch")),
    Right("", "pods/log", ("get",)),
)
OWN_SECRET = Right("", "secrets", ("create", "patch"))
OPTIONAL = (
    Right("", "events", ("list", "watch"), "why a job waits is not told"),
    Right("", "services", ("create", "get", "patch"), "no jobs with several nodes, no services"),
    Right("", "pods/exec", ("create", "get"), "no shell in a job"),
    Right("metrics.k8s.io", "pods", ("get", "list"), "what jobs use is not told"),
)
_NO_SERVICES = "no services"
SERVICES = (
    Right("apps", "deployments", ("create", "get", "patch", "delete"), _NO_SERVICES),
    Right("", "services/proxy", ("create", "get"), "services cannot be asked by mlctl"),
    Right("", "secrets", ("create", "patch", "delete"), _NO_SERVICES),
    Right("policy", "poddisruptionbudgets", ("create", "patch", "delete"), "no services with several replicas"),
    Right("autoscaling", "horizontalpodautoscalers", ("create", "get", "patch", "delete"), "no services that grow"),
    Right("networking.k8s.io", "ingresses", ("create", "patch", "delete"), "no services with --ingress"),
    Right(
        "gateway.networking.k8s.io", "httproutes", ("create", "get", "patch", "delete"), "no services with --gateway"
    ),
)
NODES = Right("", "nodes", ("list",), "which GPUs there are is not told, nor which node does not fit")


def rights(api: Api, context: Context) -> Iterator[Finding]:
    """Yield what is missing, as rules of a Role; all verbs are asked for at once."""
    own = () if context.store_secret or context.service_account else (OWN_SECRET,)
    wanted = [*NEEDED, *own, *OPTIONAL, *SERVICES, NODES]
    every = [(right, verb) for right in wanted for verb in right.verbs]
    allowed = gather(lambda one: _may(api, *one), every)
    missing: dict[Right, list[str]] = defaultdict(list)
    for (right, verb), is_allowed in zip(every, allowed, strict=True):
        if not is_allowed:
            missing[right].append(verb)
    for right, verbs in missing.items():
        kind = "ClusterRole" if right is NODES else "Role"
        hint = f"add to the {kind}: {right._replace(verbs=tuple(verbs)).rule}"
        message = f"no right to {', '.join(verbs)} {right.resource}"
        message += f": {right.purpose}" if right.purpose else ""
        yield Finding(Level.WARN if right.purpose else Level.FAIL, "rights", message, hint)
    if not missing:
        yield Finding(Level.OK, "rights", f"all {count(len(every), 'right')} that mlctl can use")


def _may(api: Api, right: Right, verb: str) -> bool:
    resource, _, part = right.resource.partition("/")
    asked = {"verb": verb, "group": right.group, "resource": resource, "subresource": part}
    if right is not NODES:
        asked["namespace"] = api.namespace
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}},
    }
    return bool(api.create(_REVIEW, review).get("status", {}).get("allowed"))
