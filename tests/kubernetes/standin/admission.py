"""What looks at new objects before they are stored: quotas, limit ranges, priority classes."""

from collections.abc import Iterable
from decimal import Decimal

from tests.kubernetes.standin import podsecurity, quantity
from tests.kubernetes.standin.api import Api
from tests.kubernetes.standin.pod import FINAL
from tests.kubernetes.standin.resources import (
    JOBS,
    LIMIT_RANGES,
    NAMESPACES,
    PODS,
    PRIORITY_CLASSES,
    QUOTAS,
    RESOURCES,
    Object,
    Resource,
)
from tests.kubernetes.standin.status import forbidden
from tests.kubernetes.standin.store import Change, Key


class Admission:
    """Admits objects, and keeps the status of quotas."""

    def __init__(self, api: Api) -> None:
        self._api = api
        api.admit += [self.set_priority, self.set_limits, self.check_security, self.check_quota]

    def keys(self, change: Change) -> Iterable[Key]:
        """Quotas of the namespace of whatever came, went or ended."""
        metadata = change.entry.value["metadata"]
        namespace = metadata.get("namespace", "")
        if change.resource == QUOTAS:
            if change.kind != "DELETED":
                yield namespace, metadata["name"]
        elif namespace and (change.kind != "MODIFIED" or change.resource == PODS):
            for entry in self._api.store.entries(QUOTAS, namespace):
                yield namespace, entry.value["metadata"]["name"]

    def reconcile(self, key: Key) -> float | None:
        """Tell in a quota's status how much of it is used."""

        def tell(quota: Object) -> None:
            used = self._used(key[0], quota)
            quota["status"] = {
                "hard": quota["spec"]["hard"],
                "used": {name: quantity.show(n) for name, n in used.items()},
            }

        self._api.edit(QUOTAS, *key, tell)
        return None

    def set_priority(self, resource: Resource, obj: Object) -> None:
        """Resolve a pod's priority class."""
        name = obj["spec"].get("priorityClassName") if resource == PODS else None
        if name is None:
            return
        if name in {"system-cluster-critical", "system-node-critical"}:
            obj["spec"]["priority"] = 2_000_000_000
            return
        found = self._api.store.find(PRIORITY_CLASSES, "", name)
        if found is None:
            raise forbidden(resource, obj["metadata"]["name"], f"no PriorityClass with name {name} was found")
        obj["spec"]["priority"] = found.value["value"]

    def set_limits(self, resource: Resource, obj: Object) -> None:
        """Give containers the defaults of the namespace's limit ranges, and refuse what is outside of them."""
        if resource != PODS:
            return
        wrong: list[str] = []
        for entry in self._api.store.entries(LIMIT_RANGES, obj["metadata"]["namespace"]):
            for item in entry.value["spec"]["limits"]:
                if item["type"] == "Container":
                    for container in [*(obj["spec"].get("initContainers") or []), *obj["spec"]["containers"]]:
                        _default(container, item)
                        wrong += _outside(container, item)
        if wrong:
            told = wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]"
            raise forbidden(resource, obj["metadata"]["name"], told)

    def check_security(self, resource: Resource, obj: Object) -> None:
        """Hold a pod to the level of its namespace's labels; only warn of a Job whose pods will be refused."""
        if resource not in {PODS, JOBS}:
            return
        namespace = self._api.store.get(NAMESPACES, "", obj["metadata"]["namespace"])
        wanted = namespace.value["metadata"].get("labels") or {}
        for mode in ("enforce", "warn"):
            level = wanted.get(f"{podsecurity.LABEL}{mode}", "privileged")
            spec = obj["spec"] if resource == PODS else obj["spec"]["template"]["spec"]
            found = podsecurity.violations(level, spec)
            if not found:
                continue
            if resource == PODS and mode == "enforce":
                why = f'violates PodSecurity "{level}:latest": {found}'
                raise forbidden(resource, obj["metadata"]["name"], why)
            if mode == "warn" or f"{podsecurity.LABEL}warn" not in wanted:
                self._api.warnings.append(f'would violate PodSecurity "{level}:latest": {found}')

    def check_quota(self, resource: Resource, obj: Object) -> None:
        """Refuse what a quota has no room for."""
        if not resource.namespaced:
            return
        for entry in self._api.store.entries(QUOTAS, obj["metadata"]["namespace"]):
            quota, hard = entry.value, _hard(entry.value)
            name = quota["metadata"]["name"]
            if resource == PODS:
                lacking = _unspecified(obj, hard)
                if lacking:
                    raise forbidden(resource, obj["metadata"]["name"], f"failed quota: {name}: must specify {lacking}")
            asked = {key: amount for key, amount in _usage(resource, obj).items() if key in hard}
            used = self._used(obj["metadata"]["namespace"], quota) if asked else {}
            over = {key: amount for key, amount in asked.items() if used[key] + amount > hard[key]}
            if over:
                told = [
                    f"{word}: {','.join(f'{key}={quantity.show(table[key])}' for key in sorted(over))}"
                    for word, table in (("requested", asked), ("used", used), ("limited", hard))
                ]
                raise forbidden(resource, obj["metadata"]["name"], f"exceeded quota: {name}, {', '.join(told)}")

    def _used(self, namespace: str, quota: Object) -> dict[str, Decimal]:
        hard = _hard(quota)
        used = dict.fromkeys(hard, Decimal(0))
        for resource in RESOURCES:
            counts = resource == PODS or any(key in hard for key in _names(resource))
            for entry in self._api.store.entries(resource, namespace) if resource.namespaced and counts else []:
                if resource == PODS and entry.value["status"].get("phase") in FINAL:
                    continue
                for key, amount in _usage(resource, entry.value).items():
                    if key in used:
                        used[key] += amount
        return used


def _hard(quota: Object) -> dict[str, Decimal]:
    return {key: quantity.parse(amount) for key, amount in (quota["spec"].get("hard") or {}).items()}


def _names(resource: Resource) -> list[str]:
    return [f"count/{resource.full_name}", resource.plural]


def _usage(resource: Resource, obj: Object) -> dict[str, Decimal]:
    """Say how much of which quota an object takes."""
    usage = dict.fromkeys(_names(resource), Decimal(1))
    if resource == PODS:
        for kind in ("requests", "limits"):
            for name, amount in quantity.of_pod(obj["spec"], kind).items():
                usage[f"{kind}.{name}"] = amount
                if kind == "requests" and name in {"cpu", "memory"}:
                    usage[name] = amount
    return usage


def _unspecified(pod: Object, hard: dict[str, Decimal]) -> str:
    """Name the amounts that a quota makes every container tell and that some do not."""
    lacking = []
    for key in sorted(hard):
        kind, _, name = key.partition(".") if "." in key else ("requests", "", key)
        if name not in {"cpu", "memory"} or kind not in {"requests", "limits"}:
            continue
        containers = [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
        names = [item["name"] for item in containers if name not in quantity.of_container(item, kind)]
        if names:
            lacking.append(f"{key} for: {','.join(names)}")
    return "; ".join(lacking)


def _default(container: Object, item: Object) -> None:
    resources = container.setdefault("resources", {})
    for name, amount in (item.get("default") or {}).items():
        resources.setdefault("limits", {}).setdefault(name, amount)
    for name, amount in (item.get("defaultRequest") or {}).items():
        resources.setdefault("requests", {}).setdefault(name, amount)


def _outside(container: Object, item: Object) -> list[str]:
    resources = container.get("resources") or {}
    found = []
    for name, most in (item.get("max") or {}).items():
        limit = (resources.get("limits") or {}).get(name)
        if limit is None:
            found.append(f"maximum {name} usage per Container is {most}.  No limit is specified")
        elif quantity.parse(limit) > quantity.parse(most):
            found.append(f"maximum {name} usage per Container is {most}, but limit is {limit}")
    for name, least in (item.get("min") or {}).items():
        request = (resources.get("requests") or {}).get(name)
        if request is None:
            found.append(f"minimum {name} usage per Container is {least}.  No request is specified")
        elif quantity.parse(request) < quantity.parse(least):
            found.append(f"minimum {name} usage per Container is {least}, but request is {request}")
    return found
