"""What each verb does to an object, as the API server does it."""

import copy
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from tests.kubernetes.standin import defaults, patch, validation
from tests.kubernetes.standin.decode import decode
from tests.kubernetes.standin.resources import CONFIG_MAPS, EVENTS, JOBS, NAMESPACES, PODS, SECRETS, Object, Resource
from tests.kubernetes.standin.schema import Schemas
from tests.kubernetes.standin.status import ApiError, bad_request, conflict, forbidden, invalid, not_found
from tests.kubernetes.standin.store import Entry, Store

Admit: TypeAlias = Callable[[Resource, Object], None]
"""Changes or refuses (by an ApiError) an object that is to be created."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the query of a write says.

    Attributes:
        strict: Of `fieldValidation`: Strict, Warn or Ignore.
        dry_run: Whether nothing is to be stored.
        force: Of server-side apply.
        manager: Whose fields they are.
    """

    strict: str = "Warn"
    dry_run: bool = False
    force: bool = False
    manager: str = ""


class DeleteOptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the body or query of a delete says."""

    propagation_policy: str | None = None
    grace_period_seconds: int | None = None
    dry_run: list[str] = []
    preconditions: dict[str, str] = {}


class Api:
    """The verbs. Every method may be called by any thread.

    Attributes:
        store: The objects.
        schemas: Of the cluster's version.
        admit: What looks at new objects before they are stored, in order.
        warnings: What the last write of this thread is to be told besides its answer.
    """

    def __init__(self, store: Store, schemas: Schemas) -> None:
        self.store = store
        self.schemas = schemas
        self.admit: list[Admit] = []
        self._applied: dict[tuple[str, str], Object] = {}  # by uid and field manager
        self._local = threading.local()

    @property
    def warnings(self) -> list[str]:
        found: list[str] = self._local.__dict__.setdefault("warnings", [])
        return found

    def create(self, resource: Resource, namespace: str, obj: Object, options: Options = Options()) -> Entry:  # noqa: B008
        """Add an object.

        Raises:
            ApiError: 400, 403, 404 (its namespace), 409 or 422.
        """
        obj = self._decode(resource, obj, options)
        metadata = obj.setdefault("metadata", {})
        if resource.namespaced:
            if metadata.get("namespace", namespace) != namespace:
                told = "the namespace of the provided object does not match the namespace sent on the request"
                raise bad_request(told)
            self._check_namespace(resource, namespace, metadata.get("name", ""))
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and not metadata.get("generateName"):
            why = validation.required("metadata.name", "name or generateName is required")
            raise invalid(resource, "", [why])
        defaults.new_metadata(resource, obj, namespace)
        defaults.fill_in(resource, obj)
        self._check(resource, obj)
        with self.store.locked():  # a quota that was looked at must not change before the object counts
            for admit in self.admit:
                admit(resource, obj)
            if options.dry_run:
                return _unstored(obj)
            return self.store.create(resource, obj)

    def replace(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        obj: Object,
        options: Options = Options(),  # noqa: B008
        part: str = "",
    ) -> Entry:
        """Put an object, or its part `status`, in the place of the one there is."""
        obj = self._decode(resource, obj, options)
        if obj.get("metadata", {}).get("name", name) != name:
            told = obj["metadata"]["name"]
            raise bad_request(f"the name of the object ({told}) does not match the name on the URL ({name})")
        with self.store.locked():
            return self._update(resource, self.store.get(resource, namespace, name), obj, options, part)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        kind: str,
        body: Object | list[Object],
        options: Options = Options(),  # noqa: B008
        part: str = "",
    ) -> tuple[Entry, bool]:
        """Patch an object.

        Returns:
            The object, and whether server-side apply has created it.
        """
        with self.store.locked():
            found = self.store.find(resource, namespace, name)
            if found is None:
                if kind != patch.APPLY or part:
                    raise not_found(resource, name)
                assert isinstance(body, dict)
                created = self.create(resource, namespace, body, options)
                if not options.dry_run:
                    self._applied[created.value["metadata"]["uid"], options.manager] = body
                return created, True
            before = found.copy()
            if kind == patch.APPLY and isinstance(body, dict):
                owned = before["metadata"]["uid"], options.manager
                was = self._applied.get(owned, {})
                if not options.dry_run:
                    self._applied[owned] = body
                before = patch.without_dropped(self.schemas, resource.schema, before, was, body)
            if kind == patch.JSON:
                after = patch.json_patch(before, body)  # type: ignore[arg-type]
            elif not isinstance(body, dict):
                raise bad_request("the patch is not an object")
            elif kind == patch.MERGE:
                after = patch.merge(before, body)
            elif kind in {patch.STRATEGIC, patch.APPLY}:
                if kind == patch.STRATEGIC and not resource.schema:
                    told = "the body of the request was in an unknown format - accepted media types include: "
                    raise ApiError(415, "UnsupportedMediaType", f"{told}{patch.JSON}, {patch.MERGE}, {patch.APPLY}")
                after = patch.strategic(self.schemas, resource.schema, before, body, apply=kind == patch.APPLY)
            else:
                raise ApiError(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {kind}")
            if kind != patch.APPLY and "resourceVersion" not in (_metadata(body)):
                after["metadata"].pop("resourceVersion", None)
            after = self._decode(resource, after, options)
            return self._update(resource, found, after, options, part), False

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        options: DeleteOptions = DeleteOptions(),  # noqa: B008
    ) -> tuple[Entry, bool]:
        """Delete an object, at once or by marking it for those who have to finish first.

        Returns:
            The object, and whether it is gone.
        """
        with self.store.locked():
            found = self.store.get(resource, namespace, name)
            uid = options.preconditions.get("uid")
            if uid and uid != found.value["metadata"]["uid"]:
                has = found.value["metadata"]["uid"]
                why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {has}"
                raise conflict(resource, name, why)
            if options.dry_run:
                return found, False
            obj = found.copy()
            metadata = obj["metadata"]
            grace = self._grace(resource, obj, options)
            finalizers = set(metadata.get("finalizers") or []) - {"orphan", "foregroundDeletion"}
            policy = options.propagation_policy or "Background"
            if resource == JOBS and options.propagation_policy is None:
                policy = "Orphan"  # of batch/v1 by its own default
                self.warnings.append(
                    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to "
                    "remove them or set propagationPolicy=Orphan to suppress this warning"
                )
            if policy != "Background":
                finalizers.add("orphan" if policy == "Orphan" else "foregroundDeletion")
            if finalizers:
                metadata["finalizers"] = sorted(finalizers)
            if resource == NAMESPACES:
                obj["status"]["phase"] = "Terminating"
            elif not finalizers and not grace:
                gone = self.store.remove(resource, namespace, name)
                assert gone is not None
                return gone, True
            if "deletionTimestamp" not in metadata or grace < metadata.get("deletionGracePeriodSeconds", 0):
                metadata["deletionTimestamp"] = defaults.now(time.time() + grace)
                metadata["deletionGracePeriodSeconds"] = grace
            if "generation" in metadata:
                metadata["generation"] += 1
            return self.store.replace(resource, obj), False

    def edit(self, resource: Resource, namespace: str, name: str, change: Callable[[Object], None]) -> Entry | None:
        """Change an object as the cluster's own parts do, unchecked; it goes if it was only waiting for that.

        Returns:
            The object, or None if there is none.
        """
        with self.store.locked():
            stored = self.store.edit(resource, namespace, name, change)
            if stored and _is_over(resource, stored.value):
                return self.store.remove(resource, namespace, name)
            return stored

    def _grace(self, resource: Resource, obj: Object, options: DeleteOptions) -> int:
        """Say how many seconds an object may take to go: only pods that are on a node take any."""
        ended = obj.get("status", {}).get("phase") in {"Succeeded", "Failed"}
        if resource != PODS or not obj["spec"].get("nodeName") or ended:
            return 0
        asked = options.grace_period_seconds
        return obj["spec"]["terminationGracePeriodSeconds"] if asked is None else asked

    def _decode(self, resource: Resource, obj: Object, options: Options) -> Object:
        decoded, warnings = decode(self.schemas, resource, obj, strict=options.strict)
        self.warnings.extend(warnings)
        return decoded

    def _check(self, resource: Resource, obj: Object) -> None:
        missing = self.schemas.check(resource, obj).missing
        if causes := missing or validation.check(resource, obj):
            raise invalid(resource, obj["metadata"]["name"], causes)

    def _check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        found = self.store.find(NAMESPACES, "", namespace)
        if found is None:
            raise not_found(NAMESPACES, namespace)
        if found.value["status"]["phase"] == "Terminating" and resource != EVENTS:
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(resource, name, why)

    def _update(self, resource: Resource, found: Entry, obj: Object, options: Options, part: str) -> Entry:
        before = found.value
        if part == "status":
            merged = found.copy()
            merged["status"] = obj.get("status", {})
            merged["metadata"]["resourceVersion"] = obj["metadata"].get("resourceVersion")
            obj = merged
        elif resource.has_status and "status" in before:
            obj["status"] = copy.deepcopy(before["status"])
        metadata = obj.setdefault("metadata", {})
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
            metadata.pop(field, None)
            if field in before["metadata"]:
                metadata[field] = before["metadata"][field]
        metadata |= {key: before["metadata"][key] for key in ("name", "namespace") if key in before["metadata"]}
        if resource == JOBS and not part:
            kept = before["spec"]
            for field in ("selector",):
                obj["spec"].setdefault(field, copy.deepcopy(kept[field]))
        if not part:
            defaults.fill_in_again(resource, obj)
            causes = self.schemas.check(resource, obj).missing or validation.check_change(resource, before, obj)
            if causes:
                raise invalid(resource, metadata["name"], causes)
            if resource in {SECRETS, CONFIG_MAPS} and before.get("immutable"):
                why = validation.Cause(
                    "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", "data"
                )
                raise invalid(resource, metadata["name"], [why])
            if "generation" in metadata and before.get("spec") != obj.get("spec"):
                metadata["generation"] += 1
        if options.dry_run:
            return _unstored(obj)
        stored = self.store.replace(resource, obj)
        if _is_over(resource, obj):
            self.store.remove(resource, metadata.get("namespace", ""), metadata["name"])
        return stored


def _is_over(resource: Resource, obj: Object) -> bool:
    """Say whether a marked object is gone: its finalizers are, and the node says that nothing of a pod runs."""
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers") or resource == NAMESPACES:
        return False
    return resource != PODS or not metadata.get("deletionGracePeriodSeconds")


def _metadata(body: Object | list[Object]) -> Object:
    return (body.get("metadata") or {}) if isinstance(body, dict) else {}


def _unstored(obj: Object) -> Entry:
    return Entry(obj, msgspec.json.encode(obj), 0)
