"""The volumes of a pod, and where its containers see them."""

from typing import Any

from orchestrator.backends.kubernetes.order import Order, Site
from orchestrator.backends.kubernetes.resources import format_quantity, shm_size
from orchestrator.specs.kubernetes import Kubernetes
from orchestrator.specs.kubernetes_parts import Volume

Json = dict[str, Any]

SHARED = "/mlctl"  # code, data, output and log: what fetch, the script and sync share
CACHE, SHM = "/cache", "/dev/shm"
CA_FOLDER = "/etc/mlctl"
CA_FILE = "ca.crt"  # key of the store's Secret, and file


def pod_volumes(order: Order, site: Site, section: Kubernetes) -> list[Json]:
    """Return the volumes of the pod."""
    volumes: list[Json] = [
        {"name": "mlctl", "emptyDir": _limited(section.disk)},
        {"name": "cache", "emptyDir": _limited(section.cache)},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": shm_size(order.sizes, section)}},
    ]
    return volumes + _authorities(site) + [{"name": name, **_source(volume)} for name, _, volume in _own(section)]


def runtime_volumes(site: Site) -> list[Json]:
    """Return the volumes of a pod that has no script."""
    return [{"name": "mlctl", "emptyDir": {}}, *_authorities(site)]


def runtime_mounts(site: Site) -> list[Json]:
    """Return what fetch and sync see."""
    mounts: list[Json] = [{"name": "mlctl", "mountPath": SHARED}]
    return [*mounts, {"name": "store-ca", "mountPath": CA_FOLDER, "readOnly": True}] if site.ca_bundle else mounts


def main_mounts(section: Kubernetes) -> list[Json]:
    """Return what the script sees."""
    mounts: list[Json] = [
        {"name": "mlctl", "mountPath": SHARED},
        {"name": "cache", "mountPath": CACHE},
        {"name": "shm", "mountPath": SHM},
    ]
    for name, path, volume in _own(section):
        mounts.append({"name": name, "mountPath": path} | ({"readOnly": True} if volume.read_only else {}))
    return mounts


def _authorities(site: Site) -> list[Json]:
    if not site.ca_bundle:
        return []
    items = [{"key": CA_FILE, "path": CA_FILE}]
    return [{"name": "store-ca", "secret": {"secretName": site.store_secret, "items": items}}]


def _own(section: Kubernetes) -> list[tuple[str, str, Volume]]:
    """Return the volumes of the spec, with a name for each: name, path, volume."""
    return [(f"volume-{number}", path, volume) for number, (path, volume) in enumerate(sorted(section.volumes.items()))]


def _source(volume: Volume) -> Json:
    if volume.pvc is not None:
        return {"persistentVolumeClaim": {"claimName": volume.pvc}}
    if volume.config_map is not None:
        return {"configMap": {"name": volume.config_map}}
    if volume.secret is not None:
        return {"secret": {"secretName": volume.secret}}
    return {"emptyDir": _limited(volume.empty_dir)}


def _limited(size: str | int | None) -> Json:
    return {} if size is None else {"sizeLimit": format_quantity(size)}
