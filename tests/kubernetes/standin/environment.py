"""The variables of a container: its image's, those of its manifest, of ConfigMaps, Secrets and of the pod itself."""

import base64
import re
from decimal import ROUND_CEILING

from tests.kubernetes.standin import quantity
from tests.kubernetes.standin.images import Image
from tests.kubernetes.standin.resources import CONFIG_MAPS, SECRETS, Object, Resource
from tests.kubernetes.standin.store import Store

_REFERENCE = re.compile(r"\$\$|\$\(([^()]+)\)")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class ConfigError(Exception):
    """Something that the manifest names does not exist."""


def build(store: Store, pod: Object, container: Object, image: Image) -> dict[str, str]:
    """Build a container's environment.

    Raises:
        ConfigError: A ConfigMap, a Secret or a key of one is missing.
    """
    spec, namespace = pod["spec"], pod["metadata"]["namespace"]
    built = dict(image.environment)
    built["HOSTNAME"] = spec.get("hostname") or pod["metadata"]["name"]
    built.setdefault("HOME", "/")
    built |= {
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "443",
    }
    if any(one.get("ports") for one in spec["containers"]):
        built["MLCTL_LISTEN"] = pod["status"]["podIP"]  # all pods share this machine's network
    for source in container.get("envFrom") or []:
        prefix = source.get("prefix", "")
        for kind in ("secretRef", "configMapRef"):
            if reference := source.get(kind):
                table = read(store, namespace, SECRETS if kind == "secretRef" else CONFIG_MAPS, reference)
                built |= {prefix + key: value.decode() for key, value in table.items()}
    for variable in container.get("env") or []:
        if "valueFrom" in variable:
            value = _from(store, pod, container, variable["valueFrom"])
            if value is not None:
                built[variable["name"]] = value
        else:
            built[variable["name"]] = expand(variable.get("value", ""), built)
    return built


def expand(text: str, variables: dict[str, str]) -> str:
    """Put values in the place of `$(NAME)`; `$$` is a dollar, and what is not known stays."""
    return _REFERENCE.sub(lambda m: "$" if m[0] == "$$" else variables.get(m[1], m[0]), text)


def read(store: Store, namespace: str, resource: Resource, reference: Object) -> dict[str, bytes]:
    """Read a whole ConfigMap or Secret.

    Raises:
        ConfigError: There is none, and it is not optional.
    """
    entry = store.find(resource, namespace, reference["name"])
    if entry is None:
        if reference.get("optional"):
            return {}
        raise ConfigError(f'{resource.kind.lower()} "{reference["name"]}" not found')
    if resource == SECRETS:
        return {key: base64.b64decode(value) for key, value in (entry.value.get("data") or {}).items()}
    return {key: value.encode() for key, value in (entry.value.get("data") or {}).items()}


def _from(store: Store, pod: Object, container: Object, source: Object) -> str | None:
    if field := source.get("fieldRef"):
        return field_of(pod, field["fieldPath"])
    if asked := source.get("resourceFieldRef"):
        return _amount(container, asked)
    kind = "secretKeyRef" if "secretKeyRef" in source else "configMapKeyRef"
    resource = SECRETS if kind == "secretKeyRef" else CONFIG_MAPS
    namespace, reference = pod["metadata"]["namespace"], source[kind]
    table = read(store, namespace, resource, reference)
    if reference["key"] in table:
        return table[reference["key"]].decode()
    if reference.get("optional"):
        return None
    raise ConfigError(f"couldn't find key {reference['key']} in {resource.kind} {namespace}/{reference['name']}")


def field_of(pod: Object, path: str) -> str:
    """Read a field of the downward API, such as `metadata.name`; what the pod lacks is empty."""
    if found := _SUBSCRIPT.fullmatch(path):
        return str((pod["metadata"].get(found[1]) or {}).get(found[2], ""))
    if path in {"metadata.labels", "metadata.annotations"}:
        table = pod["metadata"].get(path.partition(".")[2]) or {}
        return "\n".join(f'{key}="{value}"' for key, value in sorted(table.items()))
    value: object = pod
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else str(value)


def _amount(container: Object, asked: Object) -> str:
    kind, name = asked["resource"].split(".", 1)
    amount = quantity.of_container(container, kind).get(name, quantity.parse(0))
    divisor = quantity.parse(asked.get("divisor") or 1) or quantity.parse(1)
    return str(int((amount / divisor).to_integral_value(ROUND_CEILING)))
