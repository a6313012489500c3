"""A pod on a node: its volumes, its containers in their order, and the status that the node reports."""

import random
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tests.kubernetes.standin import volumes
from tests.kubernetes.standin.api import DeleteOptions
from tests.kubernetes.standin.conditions import condition
from tests.kubernetes.standin.container import Container
from tests.kubernetes.standin.defaults import now
from tests.kubernetes.standin.ending import stop_all
from tests.kubernetes.standin.environment import ConfigError
from tests.kubernetes.standin.events import Recorder
from tests.kubernetes.standin.resources import PODS, Object
from tests.kubernetes.standin.status import ApiError

if TYPE_CHECKING:
    from tests.kubernetes.standin.kubelet import Node

FINAL = ("Succeeded", "Failed")


class Verdict(msgspec.Struct):
    """Why a pod has to end that would not by itself.

    Attributes:
        reason: Of the pod's status, such as Evicted; empty if it is only deleted.
        message: Of the status.
        grace: Seconds.
    """

    reason: str
    message: str
    grace: float


class Pod:
    """A pod.

    Attributes:
        object: As it was when the node got it.
        node: Where it runs.
        containers: Init containers first, in the order of the manifest.
        volumes: Where they are.
        folder: Of all that is the pod's.
        address: Of its own.
        done: Set when nothing of it runs any more.
    """

    def __init__(self, node: "Node", obj: Object, folder: Path) -> None:
        self.node = node
        self.object = obj
        self.spec: Object = obj["spec"]
        self.name: str = obj["metadata"]["name"]
        self.namespace: str = obj["metadata"]["namespace"]
        self.uid: str = obj["metadata"]["uid"]
        self.folder = folder
        # All of 127/8 is this machine: pods that listen at one port do not meet.
        self.address = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
        obj["status"]["podIP"] = self.address  # for the downward API
        self.label = f"{self.name}_{self.namespace}({self.uid})"
        self.events: Recorder = node.events
        self.volumes: dict[str, Path] = {}
        self.done = threading.Event()
        init = self.spec.get("initContainers") or []
        waiting = "PodInitializing" if init else "ContainerCreating"
        self.containers = [Container(self, spec, init=True, waiting="PodInitializing") for spec in init]
        self.containers += [Container(self, spec, init=False, waiting=waiting) for spec in self.spec["containers"]]
        self._verdict: Verdict | None = None
        self._bell = threading.Condition(threading.RLock())
        self._abandoned = False
        self._initialized = not init
        self._started_at = now()
        self._phase = "Pending"
        self._thread = threading.Thread(target=self._run, daemon=True, name=self.name)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ring(self) -> None:
        """Say that something has happened to a container."""
        with self._bell:
            self._bell.notify_all()

    def end(self, grace: float, reason: str = "", message: str = "") -> None:
        """Let it end; a later call may shorten the grace.

        Args:
            grace: Seconds between SIGTERM and SIGKILL.
            reason: For its status.
            message: For its status.
        """
        with self._bell:
            if self._verdict is None:
                self._verdict = Verdict(reason, message, grace)
            elif grace < self._verdict.grace:
                self._verdict.grace = grace
                threading.Thread(target=stop_all, args=(self.containers, grace), daemon=True).start()
            self._bell.notify_all()

    def abandon(self) -> None:
        """Let all of it die without a word to the API server, as when its node is lost."""
        with self._bell:
            self._abandoned = True
            self._verdict = self._verdict or Verdict("", "", 0.0)
            self._bell.notify_all()
        for container in self.containers:
            container.abandon()

    def container(self, name: str) -> Container | None:
        """Find a container by its name."""
        return next((container for container in self.containers if container.name == name), None)

    def log_path(self, container: str, run: int) -> Path:
        """Say where the log of a run of a container is, below the node's folder as on a real one."""
        return self.node.folder / "pods" / f"{self.namespace}_{self.name}_{self.uid}" / container / f"{run}.log"

    def root(self, container: str, run: int) -> Path:
        """Give an empty folder for a run of a container."""
        path = self.folder / "roots" / f"{container}-{run}"
        path.mkdir(parents=True)
        return path

    def _run(self) -> None:
        if limit := self.spec.get("activeDeadlineSeconds"):
            timer = threading.Timer(limit, self._pass_deadline)
            timer.daemon = True
            timer.start()
        self.publish()
        if self._mount() and self._initialize():
            self._initialized = True
            self._phase = "Running"
            mains = [container for container in self.containers if not container.init]
            for container in mains:
                container.start()
            self._wait(mains)
        verdict = self._verdict
        grace = verdict.grace if verdict else self.spec["terminationGracePeriodSeconds"]
        stop_all(self.containers, grace)
        self._phase = self._outcome()
        self.publish()
        self.done.set()
        self.node.forget(self)

    def _mount(self) -> bool:
        """Make the volumes; tries again until all they need is there."""
        while self._verdict is None:
            try:
                self.volumes = volumes.prepare(self.node.store, self.object, self.folder, self.node.claims)
                return True
            except ConfigError as error:
                self.events.warning(self.object, "FailedMount", str(error))
                with self._bell:
                    self._bell.wait(self.node.settings.sync_every)
        return False

    def _initialize(self) -> bool:
        """Run the init containers; says whether the others may start."""
        for container in self.containers:
            if not container.init:
                break
            with self._bell:
                if self._verdict is not None:
                    return False
            container.start()
            if container.sidecar:
                with self._bell:
                    while not container.started.is_set() and not container.ended.is_set() and self._verdict is None:
                        self._bell.wait(self.node.settings.sync_every)
            else:
                self._wait([container])
                if container.exit_code != 0:
                    return False
        return self._verdict is None

    def _wait(self, containers: list[Container]) -> None:
        """Wait until some containers have ended, or all have to."""
        with self._bell:
            while self._verdict is None and not all(container.ended.is_set() for container in containers):
                self._bell.wait()

    def _pass_deadline(self) -> None:
        grace = self.spec["terminationGracePeriodSeconds"]
        if not self.done.is_set():
            message = "Pod was active on the node longer than the specified deadline"
            self.events.normal(self.object, "DeadlineExceeded", message)
            self.end(grace, "DeadlineExceeded", message)

    def _outcome(self) -> str:
        if self._verdict and self._verdict.reason:
            return "Failed"
        plain = [container for container in self.containers if not container.sidecar]
        return "Succeeded" if all(container.exit_code == 0 for container in plain) else "Failed"

    def publish(self) -> None:
        """Report the status to the API server."""
        with self._bell:
            if self._abandoned or not self.node.online.is_set():
                return
            status = self._status()

            def report(pod: Object) -> None:
                if pod["metadata"]["uid"] == self.uid and pod["status"].get("phase") not in FINAL:
                    pod["status"] = {**pod["status"], **status, "conditions": self._conditions(pod)}

            self.node.api.edit(PODS, self.namespace, self.name, report)

    def finish_deletion(self) -> None:
        """Tell the API server that a deleted pod has gone from the node."""
        try:
            self.node.api.delete(
                PODS,
                self.namespace,
                self.name,
                DeleteOptions(grace_period_seconds=0, preconditions={"uid": self.uid}, propagation_policy="Background"),
            )
        except ApiError as error:
            if error.code not in {404, 409}:
                raise

    def _status(self) -> Object:
        init = [container.status() for container in self.containers if container.init]
        running = any(item.started.is_set() for item in self.containers if not item.init)
        phase = "Pending" if self._phase == "Running" and not running else self._phase
        shown: Object = {
            "observedGeneration": self.object["metadata"]["generation"],
            "phase": phase,
            "hostIP": self.node.address,
            "hostIPs": [{"ip": self.node.address}],
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "startTime": self._started_at,
            "containerStatuses": [container.status() for container in self.containers if not container.init],
            **({"initContainerStatuses": init} if init else {}),
        }
        if self._verdict and self._verdict.reason and phase in FINAL:
            shown |= {"reason": self._verdict.reason, "message": self._verdict.message}
        return shown

    def _conditions(self, pod: Object) -> list[Object]:
        ended = self._phase in FINAL
        names = {container.name: container for container in self.containers}
        mains = [container for container in self.containers if not container.init]
        unready = [item.name for item in self.containers if (not item.init or item.sidecar) and not item.ready]
        unfinished = [
            item.name for item in names.values() if item.init and not item.started.is_set() and item.exit_code != 0
        ]
        why: Object = {}
        if ended and self._phase == "Succeeded":
            why = {"reason": "PodCompleted"}
        elif ended:
            why = {"reason": "PodFailed"}
        elif unready:
            told = f"containers with unready status: [{' '.join(unready)}]"
            why = {"reason": "ContainersNotReady", "message": told}
        initialized: Object = {"type": "Initialized", "status": "True"}
        if not self._initialized:
            told = f"containers with incomplete status: [{' '.join(unfinished)}]"
            initialized = {
                **initialized,
                "status": "False",
                **({"reason": "ContainersNotInitialized", "message": told} if unfinished else {}),
            }
        elif ended and self._phase == "Succeeded":
            initialized["reason"] = "PodCompleted"
        ready = "False" if ended or unready else "True"
        network = any(item.started.is_set() for item in mains + self.containers) and not ended
        wanted = [
            {"type": "PodReadyToStartContainers", "status": str(network)},
            initialized,
            {"type": "Ready", "status": ready, **why},
            {"type": "ContainersReady", "status": ready, **why},
        ]
        before = {item["type"]: item for item in pod["status"].get("conditions") or []}
        generation = {"observedGeneration": pod["metadata"]["generation"]}
        merged = [condition({**item, **generation}, before.get(item["type"])) for item in wanted]
        return merged + [item for kind, item in before.items() if kind not in {item["type"] for item in wanted}]
