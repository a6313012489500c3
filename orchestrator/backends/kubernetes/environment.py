"""Environment variables of a pod's containers, as far as the manifest has them.

Those that training scripts know (`DLS_*`, `MA_*`, `VC_*`) and those of the spec's `env` come from the job's record:
fetch writes them into the shared volume, and the launcher sets them.
"""

from typing import Any

import msgspec

from orchestrator.backends.kubernetes.names import host_names
from orchestrator.backends.kubernetes.order import Order, Site
from orchestrator.backends.kubernetes.volumes import CA_FILE, CA_FOLDER, SHARED
from orchestrator.runtime.task import JOB
from orchestrator.specs.kubernetes import Kubernetes

Json = dict[str, Any]

KEYS = {"AWS_ACCESS_KEY_ID": True, "AWS_SECRET_ACCESS_KEY": True, "AWS_SESSION_TOKEN": False}  # name: always needed?


def runtime_environment(order: Order, site: Site) -> list[Json]:
    """Return the variables of fetch and sync."""
    values = _settings(site, f"{order.task.prefix}{JOB}")
    if retries := order.settled(site).retries:
        values["MLCTL_RETRIES"] = str(retries)
    if order.nodes > 1:
        values["MLCTL_HOSTS"] = ",".join(host_names(order.name, order.nodes))
    return [
        *(_plain(name, value) for name, value in values.items()),
        {"name": "MLCTL_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "MLCTL_NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        *_store_keys(site),
    ]


def check_environment(site: Site) -> list[Json]:
    """Return the variables of a pod that has no job, and tries the store."""
    return [*(_plain(name, value) for name, value in _settings(site, "check").items()), *_store_keys(site)]


def store_environment(site: Site) -> list[Json]:
    """Return the variables of a pod that reads from the store, and has no job."""
    return [_plain("MLCTL_STORE", _store(site)), *_store_keys(site)]


def main_environment(order: Order, site: Site, section: Kubernetes) -> list[Json]:
    """Return the variables of the script's container: the engine's, and what the spec takes from Secrets.

    It gets the store's keys only if the script itself reads from the store (`data_mode: url`).
    """
    found = _store_keys(site) if order.task.data_mode == "url" else []
    own = []
    for name, reference in section.secrets.items():
        secret, _, key = reference.partition("/")
        own.append(_secret_key(name, secret, key))
    given = {one["name"] for one in own}
    found += [_plain(name, value) for name, value in order.environment.items()]
    return [*(one for one in found if one["name"] not in given), *own]


def main_sources(section: Kubernetes) -> list[Json]:
    """Return the ConfigMaps and Secrets that become variables as a whole."""
    kinds = {"configmap": "configMapRef", "secret": "secretRef"}
    sources = (source.partition("/") for source in section.env_from)
    return [{kinds[kind]: {"name": name}} for kind, _, name in sources]


def _settings(site: Site, key: str) -> dict[str, str]:
    return {"MLCTL_STORE": _store(site), "MLCTL_JOB_KEY": key, "MLCTL_VOLUME": SHARED}


def _store(site: Site) -> str:
    store = {**site.store, "ca_bundle": f"{CA_FOLDER}/{CA_FILE}"} if site.ca_bundle else site.store
    return msgspec.json.encode(store, order="sorted").decode()


def _store_keys(site: Site) -> list[Json]:
    if not site.store_secret:
        return []
    return [_secret_key(name, site.store_secret, name, optional=not needed) for name, needed in KEYS.items()]


def _secret_key(name: str, secret: str, key: str, *, optional: bool = False) -> Json:
    reference = {"name": secret, "key": key} | ({"optional": True} if optional else {})
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}


def _plain(name: str, value: str) -> Json:
    return {"name": name, "value": value.replace("$(", "$$(")}  # else Kubernetes puts a variable's value in
