"""What the API server checks beyond the schema, for pods, Jobs and names."""

import re
from collections.abc import Iterator

from tests.kubernetes.standin import quantity
from tests.kubernetes.standin.resources import DEPLOYMENTS, JOBS, PODS, Object, Resource
from tests.kubernetes.standin.status import Cause

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_VARIABLE = re.compile(r"[ -<>-~]+")  # any printable ASCII but "="
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
NAME_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
JOB_IMMUTABLE = ("selector", "completions", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "template")
POD_MUTABLE = ("tolerations", "activeDeadlineSeconds", "schedulingGates", "terminationGracePeriodSeconds")


def required(field: str, why: str = "") -> Cause:
    """Say that a field is missing."""
    return Cause("FieldValueRequired", f"Required value{f': {why}' if why else ''}", field)


def wrong(field: str, value: object, why: str) -> Cause:
    """Say that a value cannot be."""
    return Cause("FieldValueInvalid", f"Invalid value: {_show(value)}: {why}", field)


def unsupported(field: str, value: object, allowed: list[str]) -> Cause:
    """Say that a value is none of those allowed."""
    told = ", ".join(f'"{name}"' for name in sorted(allowed))
    return Cause("FieldValueNotSupported", f"Unsupported value: {_show(value)}: supported values: {told}", field)


def _show(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def check(resource: Resource, obj: Object) -> list[Cause]:
    """Find what is wrong with a new object that fits its schema."""
    causes = [*_metadata(resource, obj["metadata"])]
    if resource == PODS:
        causes += _pod(obj["spec"], "spec", ["Always", "OnFailure", "Never"])
    elif resource == JOBS:
        causes += _job(obj)
    elif resource == DEPLOYMENTS:
        causes += _deployment(obj["spec"])
    return causes


def check_change(resource: Resource, before: Object, after: Object) -> list[Cause]:
    """Find what a change may not change."""
    if resource == JOBS:
        causes = []
        suspended = before["spec"].get("suspend") and not (before.get("status") or {}).get("startTime")
        for field in JOB_IMMUTABLE:
            was, now = before["spec"].get(field), after["spec"].get(field)
            if field == "template" and suspended:
                was, now = _scheduling_apart(was), _scheduling_apart(now)
            if was != now and not (field == "completions" and after["spec"].get("completionMode") == "Indexed"):
                causes.append(wrong(f"spec.{field}", "{...}", "field is immutable"))
        return causes
    if resource == DEPLOYMENTS:
        moved = before["spec"]["selector"] != after["spec"]["selector"]
        immutable = [wrong("spec.selector", "{...}", "field is immutable")] if moved else []
        return [*immutable, *_deployment(after["spec"])]
    if resource == PODS:
        was, now = ({k: v for k, v in obj["spec"].items() if k not in POD_MUTABLE} for obj in (before, after))
        for spec in (was, now):
            for part in ("containers", "initContainers"):
                spec[part] = [{k: v for k, v in item.items() if k != "image"} for item in spec.get(part) or []]
        if was != now:
            why = (
                "pod updates may not change fields other than `spec.containers[*].image`,"
                "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
                "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
                "previously negative)"
            )
            return [Cause("FieldValueForbidden", f"Forbidden: {why}", "spec")]
    return []


def _deployment(spec: Object) -> Iterator[Cause]:
    has = (spec["template"].get("metadata") or {}).get("labels") or {}
    wanted = spec["selector"].get("matchLabels") or {}
    if not wanted or any(has.get(key) != value for key, value in wanted.items()):
        why = "`selector` does not match template `labels`"
        yield wrong("spec.template.metadata.labels", "{...}", why)
    yield from _pod(spec["template"]["spec"], "spec.template.spec", ["Always"])


def _scheduling_apart(template: Object) -> Object:
    """Leave out what may still change in a Job that is suspended and has never started."""
    spec = {
        key: value
        for key, value in template["spec"].items()
        if key not in {"nodeSelector", "affinity", "tolerations", "schedulingGates"}
    }
    return {"metadata": {}, "spec": spec}


def _metadata(resource: Resource, metadata: Object) -> Iterator[Cause]:
    name = metadata["name"]
    short = resource.plural in {"namespaces", "services"}
    if len(name) > (63 if short else 253):
        yield wrong("metadata.name", name, f"must be no more than {63 if short else 253} characters")
    elif resource.group != "rbac.authorization.k8s.io" and not (_DNS_LABEL if short else _DNS_NAME).fullmatch(name):
        yield wrong("metadata.name", name, LABEL_RULE if short else NAME_RULE)
    yield from labels(metadata.get("labels"), "metadata.labels")
    for key in metadata.get("annotations") or {}:
        if not _key_fits(key):
            yield wrong(
                "metadata.annotations", key, "name part must consist of alphanumeric characters, '-', '_' or '.'"
            )


def labels(table: dict[str, str] | None, field: str) -> Iterator[Cause]:
    """Check the keys and values of labels."""
    for key, value in (table or {}).items():
        if not _key_fits(key):
            yield wrong(field, key, "name part must consist of alphanumeric characters, '-', '_' or '.'")
        if len(value) > 63:
            yield wrong(field, value, "must be no more than 63 bytes")
        elif not _VALUE.fullmatch(value):
            yield wrong(field, value, VALUE_RULE)


def _key_fits(key: str) -> bool:
    prefix, _, name = key.rpartition("/")
    return bool(_KEY.fullmatch(name)) and len(name) <= 63 and (not prefix or bool(_DNS_NAME.fullmatch(prefix)))


def _job(job: Object) -> Iterator[Cause]:
    spec, template = job["spec"], job["spec"]["template"]
    for field in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        if (spec.get(field) or 0) < 0:
            yield wrong(f"spec.{field}", spec[field], "must be greater than or equal to 0")
    if spec.get("completionMode") not in {"Indexed", "NonIndexed"}:
        yield unsupported("spec.completionMode", spec.get("completionMode"), ["Indexed", "NonIndexed"])
    if spec.get("completionMode") == "Indexed":
        if spec.get("completions") is None:
            yield required("spec.completions", "when completion mode is Indexed")
        pod_name = f"{job['metadata']['name']}-{max(0, (spec.get('completions') or 1) - 1)}"
        if len(pod_name) > 63 or not _DNS_LABEL.fullmatch(pod_name):
            why = f"will not able to create pod with invalid DNS label: {pod_name}"
            yield wrong("metadata.name", pod_name, why)
    elif len(job["metadata"]["name"]) > 63:
        yield wrong("spec.template.labels", job["metadata"]["name"], "must be no more than 63 characters")
    yield from labels((template.get("metadata") or {}).get("labels"), "spec.template.metadata.labels")
    restart = template["spec"].get("restartPolicy")
    if restart == "Always":
        yield Cause(
            "FieldValueRequired",
            'Required value: valid values: "OnFailure", "Never"',
            "spec.template.spec.restartPolicy",
        )
    elif spec.get("podFailurePolicy") and restart != "Never":
        yield wrong(
            "spec.template.spec.restartPolicy", restart, 'only "Never" is supported when podFailurePolicy is specified'
        )
    yield from _failure_policy(spec)
    if spec.get("podFailurePolicy") and spec.get("podReplacementPolicy") == "TerminatingOrFailed":
        yield unsupported("spec.podReplacementPolicy", spec["podReplacementPolicy"], ["Failed"])
    yield from _pod(template["spec"], "spec.template.spec", ["OnFailure", "Never"])


def _failure_policy(spec: Object) -> Iterator[Cause]:
    names = [
        container["name"]
        for part in ("initContainers", "containers")
        for container in spec["template"]["spec"].get(part) or []
    ]
    for index, rule in enumerate((spec.get("podFailurePolicy") or {}).get("rules") or []):
        field = f"spec.podFailurePolicy.rules[{index}]"
        if rule["action"] not in {"FailJob", "Ignore", "Count", "FailIndex"}:
            yield unsupported(f"{field}.action", rule["action"], ["Count", "FailIndex", "FailJob", "Ignore"])
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
        if bool(codes) == bool(conditions):
            why = "specifying both OnExitCodes and OnPodConditions is not supported" if codes else ""
            why = why or "specifying one of OnExitCodes and OnPodConditions is required"
            yield wrong(field, "{...}", why)
        if codes:
            if codes.get("containerName") and codes["containerName"] not in names:
                why = "must be one of the container or initContainer names in the pod template"
                yield wrong(f"{field}.onExitCodes.containerName", codes["containerName"], why)
            if codes["operator"] == "In" and 0 in codes["values"]:
                yield wrong(
                    f"{field}.onExitCodes.values[{codes['values'].index(0)}]", 0, "must not be 0 for the In operator"
                )
            if codes["values"] != sorted(codes["values"]):
                yield wrong(f"{field}.onExitCodes.values", codes["values"], "must be ordered")


def _pod(spec: Object, field: str, restarts: list[str]) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield required(f"{field}.containers")
    if spec.get("restartPolicy") not in restarts and not (spec.get("restartPolicy") == "Always" and field != "spec"):
        yield unsupported(f"{field}.restartPolicy", spec.get("restartPolicy"), restarts)
    volumes = [volume["name"] for volume in spec.get("volumes") or []]
    for index, volume in enumerate(spec.get("volumes") or []):
        if len(volume) < 2:
            yield required(f"{field}.volumes[{index}]", "must specify a volume type")
        elif len(volume) > 2:
            yield Cause(
                "FieldValueForbidden", "Forbidden: may not specify more than 1 volume type", f"{field}.volumes[{index}]"
            )
        if volumes.index(volume["name"]) != index:
            yield Cause("FieldValueDuplicate", f'Duplicate value: "{volume["name"]}"', f"{field}.volumes[{index}].name")
        if not _DNS_LABEL.fullmatch(volume["name"]):
            yield wrong(f"{field}.volumes[{index}].name", volume["name"], LABEL_RULE)
    names: set[str] = set()
    for part in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(part) or []):
            yield from _container(container, f"{field}.{part}[{index}]", volumes, names, part == "initContainers")
    yield from labels(spec.get("nodeSelector"), f"{field}.nodeSelector")
    context = spec.get("securityContext") or {}
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        if context.get(name, 0) < 0:
            yield wrong(f"{field}.securityContext.{name}", context[name], "must be between 0 and 2147483647, inclusive")


def _container(container: Object, field: str, volumes: list[str], names: set[str], init: bool) -> Iterator[Cause]:
    name = container["name"]
    if not _DNS_LABEL.fullmatch(name) or len(name) > 63:
        yield wrong(f"{field}.name", name, LABEL_RULE)
    if name in names:
        yield Cause("FieldValueDuplicate", f'Duplicate value: "{name}"', f"{field}.name")
    names.add(name)
    if not container.get("image"):
        yield required(f"{field}.image")
    elif container["image"] != container["image"].strip():
        yield wrong(f"{field}.image", container["image"], "must not have leading or trailing whitespace")
    if container.get("imagePullPolicy") not in {"Always", "IfNotPresent", "Never"}:
        allowed = ["Always", "IfNotPresent", "Never"]
        yield unsupported(f"{field}.imagePullPolicy", container.get("imagePullPolicy"), allowed)
    if init and container.get("restartPolicy") not in {None, "Always"}:
        yield unsupported(f"{field}.restartPolicy", container["restartPolicy"], ["Always"])
    paths: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or []):
        if mount["name"] not in volumes:
            yield Cause("FieldValueNotFound", f'Not found: "{mount["name"]}"', f"{field}.volumeMounts[{index}].name")
        if mount["mountPath"] in paths:
            yield wrong(f"{field}.volumeMounts[{index}].mountPath", mount["mountPath"], "must be unique")
        paths.add(mount["mountPath"])
    for index, variable in enumerate(container.get("env") or []):
        if not _VARIABLE.fullmatch(variable["name"]):
            why = "a valid environment variable name must consist only of printable ASCII characters other than '='"
            yield wrong(f"{field}.env[{index}].name", variable["name"], why)
        if variable.get("value") and variable.get("valueFrom"):
            yield wrong(f"{field}.env[{index}].valueFrom", "", "may not be specified when `value` is not empty")
    yield from _resources(container, f"{field}.resources")


def _resources(container: Object, field: str) -> Iterator[Cause]:
    requests, limits = (quantity.of_container(container, kind) for kind in ("requests", "limits"))
    raw = container.get("resources") or {}
    for name, amount in requests.items():
        if amount < 0:
            yield wrong(f"{field}.requests[{name}]", str(raw["requests"][name]), "must be greater than or equal to 0")
        if name in limits and amount > limits[name]:
            why = f"must be less than or equal to {name} limit of {raw['limits'][name]}"
            yield wrong(f"{field}.requests", str(raw["requests"][name]), why)
        if _extended(name) and name not in limits:
            yield required(f"{field}.limits", "Limit must be set for non overcommitable resources")
    for name, amount in limits.items():
        if amount < 0:
            yield wrong(f"{field}.limits[{name}]", str(raw["limits"][name]), "must be greater than or equal to 0")
        if "/" not in name and not _native(name):
            yield wrong(f"{field}.limits[{name}]", name, "must be a standard resource type or fully qualified")
        if _extended(name):
            if requests.get(name, amount) != amount:
                why = f"must be equal to {name} limit of {raw['limits'][name]}"
                yield wrong(f"{field}.requests", str(raw["requests"][name]), why)
            if amount % 1:
                yield wrong(f"{field}.limits[{name}]", str(raw["limits"][name]), "must be an integer")


def _native(name: str) -> bool:
    return name in {"cpu", "memory", "ephemeral-storage"} or name.startswith("hugepages-")


def _extended(name: str) -> bool:
    return not _native(name)
