"""The nodes: they run the pods that are bound to them."""

import shutil
import threading
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tests.kubernetes.standin.api import Api
from tests.kubernetes.standin.defaults import now
from tests.kubernetes.standin.events import Recorder
from tests.kubernetes.standin.images import Images
from tests.kubernetes.standin.pod import FINAL, Pod
from tests.kubernetes.standin.resources import NODES, PODS, Object
from tests.kubernetes.standin.store import Change, Key


class NodeSettings(msgspec.Struct, kw_only=True, frozen=True):
    """How a node behaves; times in seconds, where a real node's are longer than a test can wait.

    Attributes:
        log_size: Bytes after which a log file is set aside (10 MiB on a real node).
        crash_backoff: Before the second restart, doubled each time (10 s).
        pull_backoff: Before an image is asked for again, doubled each time (10 s).
        sync_every: Between looks whether what was missing is there (about 1 s).
        users: Containers run as the user and groups that the manifest names; needs root, and an image whose files this
            user can read.
        hollow: Pods start at once and run for ever, with no process: for tests with very many.
    """

    log_size: int = 10 * 1024 * 1024
    crash_backoff: float = 0.2
    pull_backoff: float = 0.2
    sync_every: float = 0.1
    users: bool = False
    hollow: bool = False


class Node:
    """A machine of the cluster.

    Attributes:
        name: Of it.
        pods: That run on it, by uid.
        online: Cleared while the API server does not hear of it.
    """

    def __init__(self, api: Api, name: str, folder: Path, images: Images, settings: NodeSettings) -> None:
        self.api = api
        self.store = api.store
        self.name = name
        self.folder = folder / name
        self.claims = folder / "claims"
        self.images = images
        self.settings = settings
        self.events = Recorder(api, "kubelet", name)
        self.address = "127.0.0.1"
        self.pods: dict[str, Pod] = {}
        self.online = threading.Event()
        self.online.set()
        self.lock = threading.Lock()
        self._ended: dict[str, Pod] = {}

    def find(self, uid: str) -> Pod | None:
        """Find a pod, also one that has ended but was not deleted."""
        return self.pods.get(uid) or self._ended.get(uid)

    def sync(self, obj: Object) -> None:
        """Do what a pod's object asks for."""
        uid = obj["metadata"]["uid"]
        deleted = "deletionTimestamp" in obj["metadata"]
        with self.lock:
            pod = self.pods.get(uid)
            ended = self._ended.get(uid)
        if self.settings.hollow:
            self._sync_hollow(obj, deleted)
        elif pod is None and ended is None and not deleted and obj["status"].get("phase") not in FINAL:
            pod = Pod(self, obj, self.folder / "volumes" / uid)
            pod.folder.mkdir(parents=True)
            with self.lock:
                self.pods[uid] = pod
            pod.start()
        elif pod and obj["status"].get("phase") in FINAL:
            pod.end(obj["spec"]["terminationGracePeriodSeconds"])  # somebody else says that it has failed
        elif pod and deleted:
            pod.end(obj["metadata"]["deletionGracePeriodSeconds"])
        elif deleted and obj["metadata"].get("deletionGracePeriodSeconds"):
            (ended or Pod(self, obj, self.folder / "volumes" / uid)).finish_deletion()

    def forget(self, pod: Pod) -> None:
        """Take note that nothing of a pod runs any more."""
        with self.lock:
            self.pods.pop(pod.uid, None)
            self._ended[pod.uid] = pod
        entry = self.store.find(PODS, pod.namespace, pod.name)
        deleted = entry is None or "deletionTimestamp" in entry.value["metadata"]
        if deleted and self.online.is_set() and entry and entry.value["metadata"]["uid"] == pod.uid:
            pod.finish_deletion()

    def clear_up(self, key: Key, uid: str) -> None:
        """End the pods of a name that are not the one that has it now; delete the files of those that have ended."""
        with self.lock:
            ended = [pod for pod in self._ended.values() if (pod.namespace, pod.name) == key and pod.uid != uid]
            running = [pod for pod in self.pods.values() if (pod.namespace, pod.name) == key and pod.uid != uid]
            for pod in ended:
                del self._ended[pod.uid]
        for pod in running:
            pod.end(0.0)
        for pod in ended:
            shutil.rmtree(pod.folder, ignore_errors=True)
            shutil.rmtree(pod.log_path("x", 0).parents[1], ignore_errors=True)

    def abandon(self) -> None:
        """Lose all that runs here, without a word."""
        self.online.clear()
        for pod in list(self.pods.values()):
            pod.abandon()
        for pod in list(self.pods.values()):
            pod.done.wait()

    def _sync_hollow(self, obj: Object, deleted: bool) -> None:
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        if deleted and obj["metadata"].get("deletionGracePeriodSeconds"):
            Pod(self, obj, self.folder).finish_deletion()
        elif obj["status"].get("phase") == "Pending" and not deleted:
            moment = now()

            def start(pod: Object) -> None:
                status = pod["status"]
                status |= {"phase": "Running", "hostIP": self.address, "podIP": "127.0.0.1", "startTime": moment}
                for part, field in (("containers", "containerStatuses"), ("initContainers", "initContainerStatuses")):
                    if pod["spec"].get(part):
                        status[field] = [_hollow(container, moment) for container in pod["spec"][part]]
                for kind in ("Initialized", "Ready", "ContainersReady"):
                    condition = {"type": kind, "status": "True", "lastTransitionTime": moment}
                    status.setdefault("conditions", []).append(condition)

            self.api.edit(PODS, namespace, name, start)


def _hollow(container: Object, moment: str) -> Object:
    return {
        "name": container["name"],
        "state": {"running": {"startedAt": moment}},
        "lastState": {},
        "ready": True,
        "started": True,
        "restartCount": 0,
        "image": container["image"],
        "imageID": "",
    }


class Kubelets:
    """Tells each node of its pods.

    Attributes:
        nodes: By their names.
    """

    def __init__(self, api: Api) -> None:
        self.nodes: dict[str, Node] = {}
        self._api = api

    def keys(self, change: Change) -> Iterable[Key]:
        """Every pod that is bound."""
        if change.resource == PODS and change.entry.value["spec"].get("nodeName"):
            metadata = change.entry.value["metadata"]
            yield metadata["namespace"], metadata["name"]

    def reconcile(self, key: Key) -> float | None:
        """Let the node of a pod look at it, and those that had one of its name clear up."""
        entry = self._api.store.find(PODS, *key)
        uid = entry.value["metadata"]["uid"] if entry else ""
        for node in list(self.nodes.values()):
            node.clear_up(key, uid)
            if entry and entry.value["spec"].get("nodeName") == node.name and node.online.is_set():
                node.sync(entry.copy())
        return None


def node_object(
    name: str, capacity: dict[str, str], labels: dict[str, str], taints: list[Object], version: str
) -> Object:
    """Build the object of a node that is ready."""
    moment = now()
    pressures = {
        "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    }
    conditions = [
        {"type": kind, "status": "False", "reason": reason, "message": message}
        for kind, (reason, message) in pressures.items()
    ]
    conditions.append(
        {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    )
    own = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {
        "apiVersion": "v1",
        "kind": NODES.kind,
        "metadata": {"name": name, "labels": own | labels},
        "spec": {"taints": taints} if taints else {},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [{**item, "lastHeartbeatTime": moment, "lastTransitionTime": moment} for item in conditions],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
            "nodeInfo": {
                "kubeletVersion": f"v{version}.0",
                "containerRuntimeVersion": "containerd://2.1.0",
                "osImage": "stand-in",
                "kernelVersion": "6.1.0",
                "architecture": "amd64",
                "operatingSystem": "linux",
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kubeProxyVersion": "",
            },
        },
    }
