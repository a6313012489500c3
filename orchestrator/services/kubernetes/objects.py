"""A service's objects in a cluster: found, brought to a form, removed."""

import contextlib
import time
from collections.abc import Collection
from typing import Any

import msgspec

from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.cluster import PODS
from orchestrator.backends.kubernetes.names import MANAGED_BY, MANAGER
from orchestrator.backends.kubernetes.refusals import UnknownKindError
from orchestrator.errors import ConflictError, PermissionDeniedError, PreflightError
from orchestrator.services.kubernetes.manifests import DEPLOYMENT, ROUTE, SECRETS, SERVICES, manifests, token_name
from orchestrator.services.kubernetes.plan import SERVICE, STORE, Plan

Json = dict[str, Any]

END = 120.0  # seconds that pods may take to end: requests under way are answered
POLL = 0.2  # seconds
_OF_US = ("labels", "annotations")


class Objects:
    """The objects of services in one namespace.

    Args:
        api: The namespace.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def deployment(self, name: str) -> Json | None:
        """Return a service's Deployment."""
        return self._api.find(self._api.path(DEPLOYMENT, name))

    def pods(self, name: str) -> list[Json]:
        """Return the pods of a service."""
        return self._api.list(self._api.path(PODS), labelSelector=f"{SERVICE}={name}")

    def require_free(self, name: str, store: str) -> Json | None:
        """Return a service's Deployment, if there is one.

        Raises:
            ConflictError: Somebody else's objects have its name.
        """
        found = self.deployment(name)
        if found and found["metadata"].get("deletionTimestamp"):
            found = self._gone(name)
        for kind, one in (("Deployment", found), ("Service", self._api.find(self._api.path(SERVICES, name)))):
            labels = ((one or {}).get("metadata") or {}).get("labels") or {}
            if one and (labels.get(MANAGED_BY), labels.get(SERVICE)) != (MANAGER, name):
                message = f"{self._api.place} has a {kind} named {name} that is not mlctl's"
                raise ConflictError(message, hint="deploy under another name: --name NAME")
        if found and (other := (found["metadata"].get("annotations") or {}).get(STORE, store)) != store:
            message = f"{self._api.place} has a service {name} whose record is in {other}"
            raise ConflictError(message, hint="deploy under another name: --name NAME")
        return found

    def rehearse(self, plan: Plan) -> None:
        """Find out whether the cluster would take all objects, and change nothing.

        Raises:
            PreflightError: It would not.
        """
        for (kind, name), one in manifests(plan).items():
            try:
                self._api.apply(self._api.path(kind, name), one, rehearse=True)
            except UnknownKindError as error:
                if kind != ROUTE:
                    raise
                message = f"{self._api.place} has no HTTPRoutes, which --gateway makes: it lacks the Gateway API"
                hint = "have it installed (https://gateway-api.sigs.k8s.io), or: --gateway '' --ingress HOST"
                raise PreflightError(message, hint=hint) from error

    def apply(self, plan: Plan) -> Plan:
        """Make a service's objects but for its token, or bring them to this form; return the plan with its owner.

        All others go with the Deployment, so a new one is made before them: its pods wait for their Secret.
        """
        if not plan.owner:
            made = manifests(plan)[DEPLOYMENT, plan.name]
            deployment = self._api.apply(self._api.path(DEPLOYMENT, plan.name), made)
            plan = msgspec.structs.replace(plan, owner=deployment["metadata"]["uid"])
        self._apply(plan, but=())
        return plan

    def apply_token(self, plan: Plan) -> None:
        """Show the token to programs of the cluster, when it lets in."""
        key = SECRETS, token_name(plan.name)
        if one := manifests(plan).get(key):
            self._api.apply(self._api.path(*key), one)

    def restore(self, deployment: Json, before: Plan) -> None:
        """Have all be again as it was.

        Args:
            deployment: As it was.
            before: What the rest was made from.
        """
        self.again(deployment)
        self._apply(msgspec.structs.replace(before, owner=deployment["metadata"]["uid"]), but=(DEPLOYMENT,))

    def _apply(self, plan: Plan, *, but: Collection[str]) -> None:
        """Apply all objects but the token and those of some kinds."""
        for (kind, name), one in manifests(plan).items():
            if kind not in but and (kind, name) != (SECRETS, token_name(plan.name)):
                self._api.apply(self._api.path(kind, name), one)

    def again(self, deployment: Json, *, replicas: int | None = None) -> None:
        """Bring a Deployment back to what it was, to the letter, so that the pods of then are those wanted again."""
        metadata = {key: deployment["metadata"][key] for key in _OF_US if key in deployment["metadata"]}
        metadata["annotations"] = {STORE: (metadata.get("annotations") or {}).get(STORE, "")}
        name = deployment["metadata"]["name"]
        spec = deployment["spec"] if replicas is None else {**deployment["spec"], "replicas": replicas}
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": self._api.namespace, **metadata},
            "spec": spec,
        }
        self._api.apply(self._api.path(DEPLOYMENT, name), body)

    def drop(self, before: Plan, now: Plan, *, only: str = "") -> None:
        """Remove what a plan before made and that of now does not; what may not be removed goes with the Deployment.

        Args:
            before: The plan before.
            now: That of now.
            only: Objects of this kind; by default of all.
        """
        for kind, name in manifests(before).keys() - manifests(now).keys() - {(SECRETS, token_name(now.name))}:
            if only in ("", kind):
                with contextlib.suppress(PermissionDeniedError):
                    self._api.delete(self._api.path(kind, name))

    def delete(self, name: str) -> None:
        """Remove a Deployment and all that goes with it, and wait for its pods to have ended."""
        if self._api.delete(self._api.path(DEPLOYMENT, name), propagation="Foreground"):
            self._gone(name)

    def _gone(self, name: str) -> Json | None:
        """Return None when a Deployment that is being deleted is gone, or after a while the one that is there."""
        deadline = time.monotonic() + END
        while (found := self.deployment(name)) and time.monotonic() < deadline:
            time.sleep(POLL)
        return found
