"""The volumes of a pod: folders on this machine."""

import os
from pathlib import Path

from tests.kubernetes.standin import environment
from tests.kubernetes.standin.environment import ConfigError
from tests.kubernetes.standin.resources import CLAIMS, CONFIG_MAPS, SECRETS, Object
from tests.kubernetes.standin.sandbox import Mount
from tests.kubernetes.standin.store import Store


def prepare(store: Store, pod: Object, folder: Path, claims: Path) -> dict[str, Path]:
    """Make the volumes of a pod.

    Args:
        store: Has the Secrets, ConfigMaps and claims.
        pod: Whose.
        folder: Of the pod.
        claims: Where the volumes of claims are, which outlive pods.

    Raises:
        ConfigError: Something that a volume needs does not exist; the message is that of a `FailedMount` event.
    """
    made: dict[str, Path] = {}
    for volume in pod["spec"].get("volumes") or []:
        path = folder / "volumes" / volume["name"]
        if "hostPath" in volume:
            path = Path(volume["hostPath"]["path"])
        elif claim := volume.get("persistentVolumeClaim"):
            name, namespace = claim["claimName"], pod["metadata"]["namespace"]
            if store.find(CLAIMS, namespace, name) is None:
                raise ConfigError(f'persistentvolumeclaim "{name}" not found')
            path = claims / namespace / name
        path.mkdir(parents=True, exist_ok=True)
        try:
            for name, data in _files(store, pod, volume).items():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).write_bytes(data)
        except ConfigError as error:
            raise ConfigError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from error
        if "emptyDir" in volume:
            path.chmod(0o777)
        made[volume["name"]] = path
    return made


def mounts(container: Object, made: dict[str, Path], variables: dict[str, str]) -> list[Mount]:
    """Say where a container sees which volume."""
    found = []
    for mount in container.get("volumeMounts") or []:
        path = made[mount["name"]]
        inner = mount.get("subPath") or environment.expand(mount.get("subPathExpr", ""), variables)
        if inner:
            path = path / inner
            if not path.exists():
                path.mkdir(parents=True)
        found.append(Mount(path, os.path.normpath(mount["mountPath"]), bool(mount.get("readOnly"))))
    return found


def _files(store: Store, pod: Object, volume: Object) -> dict[str, bytes]:
    namespace = pod["metadata"]["namespace"]
    if source := volume.get("secret"):
        table = environment.read(store, namespace, SECRETS, {**source, "name": source["secretName"]})
        return _chosen(table, source)
    if source := volume.get("configMap"):
        return _chosen(environment.read(store, namespace, CONFIG_MAPS, source), source)
    if source := volume.get("downwardAPI"):
        return {
            item["path"]: environment.field_of(pod, item["fieldRef"]["fieldPath"]).encode()
            for item in source.get("items") or []
            if "fieldRef" in item
        }
    found: dict[str, bytes] = {}
    for source in (volume.get("projected") or {}).get("sources") or []:
        if "serviceAccountToken" in source:
            found[source["serviceAccountToken"]["path"]] = b"a-token-of-the-stand-in"
        elif "secret" in source:
            found |= _files(store, pod, {"secret": {**source["secret"], "secretName": source["secret"]["name"]}})
        else:
            found |= _files(store, pod, source)
    return found


def _chosen(table: dict[str, bytes], source: Object) -> dict[str, bytes]:
    if not source.get("items"):
        return table
    return {item["path"]: table[item["key"]] for item in source["items"] if item["key"] in table}
