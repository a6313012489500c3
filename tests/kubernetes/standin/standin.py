"""The stand-in: its parts put together, and the levers that tests pull."""

import secrets
import ssl
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import yaml

from tests.kubernetes.standin.admission import Admission
from tests.kubernetes.standin.api import Api
from tests.kubernetes.standin.deployments import DeploymentController
from tests.kubernetes.standin.disruptions import Disruptions
from tests.kubernetes.standin.exec import Exec
from tests.kubernetes.standin.faults import Faults
from tests.kubernetes.standin.furniture import Furniture
from tests.kubernetes.standin.garbage import GarbageCollector
from tests.kubernetes.standin.handlers import Handlers
from tests.kubernetes.standin.http import Server
from tests.kubernetes.standin.images import Images
from tests.kubernetes.standin.jobs import JobController
from tests.kubernetes.standin.kubelet import Kubelets, NodeSettings
from tests.kubernetes.standin.kueue import Kueue
from tests.kubernetes.standin.logserve import Logs
from tests.kubernetes.standin.loop import Loop
from tests.kubernetes.standin.proxy import Proxy
from tests.kubernetes.standin.resources import (
    NAMESPACES,
    PENDING_WORKLOADS,
    WORKLOADS,
    Object,
    named,
)
from tests.kubernetes.standin.scheduler import Scheduler
from tests.kubernetes.standin.schema import NEWEST, Schemas
from tests.kubernetes.standin.store import Store

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""Of the server, signed by itself, with its key: of no worth but on the loopback of a test."""


class Settings(msgspec.Struct, kw_only=True, frozen=True):
    """How the cluster is.

    Attributes:
        version: Of Kubernetes.
        nodes: How many, called `node-1` and so on.
        gpus: `nvidia.com/gpu` of each node.
        history: Changes that are kept for watches.
        bookmark_every: Seconds between the bookmarks of a watch.
        retry_backoff: Seconds before a Job replaces a failed pod, doubled each time (10 in a real cluster).
        node: How the nodes behave.
        kueue: Whether Kueue is installed; `Standin.queue` makes queues.
        tls: Whether it speaks HTTPS, as kubectl wants it: that sends no token over plain HTTP.
    """

    version: str = NEWEST
    nodes: int = 1
    gpus: int = 0
    history: int = 10_000
    bookmark_every: float = 60.0
    retry_backoff: float = 0.2
    node: NodeSettings = NodeSettings()
    kueue: bool = False
    tls: bool = True


class Standin(Disruptions, Furniture):
    """A cluster for a test; a context manager.

    Attributes:
        url: Of its API server.
        token: That its clients must bear.
        store: Its objects.
        api: Its verbs, past HTTP.
        faults: What goes wrong between the server and its clients, and how often which call was made.
        images: That its nodes can get.
    """

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        """Make it.

        Args:
            folder: For its files; must exist.
            settings: How it is to be.
        """
        self.folder = folder
        self.settings = settings or Settings()
        self.store = Store(self.settings.history)
        self.api = Api(self.store, Schemas(self.settings.version))
        self.faults = Faults()
        self.images = Images()
        self.kubelets = Kubelets(self.api)
        self.node_settings = self.settings.node
        self.token = secrets.token_hex(16)
        self._admission = Admission(self.api)
        self._handlers = Handlers(self.api, self.faults, self.settings.bookmark_every)
        self._handlers.parts["pods/log"] = Logs(self.store, self.kubelets)
        self._handlers.parts["pods/exec"] = Exec(self.store, self.kubelets)
        self._handlers.parts["pods/eviction"] = self.serve_eviction
        self._handlers.parts["services/proxy"] = Proxy(self.store)
        self._jobs = JobController(self.api, self.settings.retry_backoff)
        controllers = [
            self.kubelets,
            Scheduler(self.api, self.settings.version),
            self._jobs,
            DeploymentController(self.api),
            GarbageCollector(self.api),
            self._admission,
        ]
        if self.settings.kueue:
            kueue = Kueue(self.api)
            controllers.append(kueue)
            self._handlers.parts["localqueues/pendingworkloads"] = kueue.serve_pending
        else:
            self._handlers.absent |= {WORKLOADS.group, PENDING_WORKLOADS.group}
        self.loop = Loop(self.store, controllers)
        self._server = Server(self._handlers, self.faults, self.token, _tls() if self.settings.tls else None)
        self.url = f"http{'s' if self.settings.tls else ''}://127.0.0.1:{self._server.port}"
        self._timers: list[threading.Timer] = []

    def __enter__(self) -> Self:
        for name in ("default", "kube-system"):
            self.api.create(NAMESPACES, "", {"metadata": {"name": name}})
        for number in range(self.settings.nodes):
            self.add_node(f"node-{number + 1}", gpus=self.settings.gpus)
        self.loop.start()
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if kind is None and self.loop.failed:
            raise AssertionError("the stand-in itself failed: see its traceback")

    def close(self) -> None:
        """End everything that runs, and wait for it."""
        for timer in self._timers:
            timer.cancel()
        self._server.stop()
        self.store.close()
        self.loop.join()
        for node in self.kubelets.nodes.values():
            node.abandon()

    def kubeconfig(self, *, token: str | None = None, namespace: str = "default") -> Path:
        """Write a kubeconfig for it.

        Args:
            token: Another one than the right one.
            namespace: Of its context.
        """
        cluster = {"server": self.url} | ({"certificate-authority": str(CERTIFICATE)} if self.settings.tls else {})
        path = self.folder / f"kubeconfig-{namespace}-{'wrong' if token else 'right'}"
        context = {"cluster": "standin", "user": "tester", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "standin",
            "clusters": [{"name": "standin", "cluster": cluster}],
            "users": [{"name": "tester", "user": {"token": token or self.token}}],
            "contexts": [{"name": "standin", "context": context}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def objects(self, plural: str, namespace: str = "") -> list[Object]:
        """Give all objects of a kind, past HTTP."""
        return [entry.copy() for entry in self.store.entries(named(plural), namespace)]

    def lack(self, group: str) -> None:
        """Have no such group of the API, as a cluster where nobody has installed it."""
        self._handlers.absent.add(group)

    # The network between clients and the API server.

    def drop_connections(self, *, reset: bool = False) -> None:
        """Break all connections now."""
        self._server.drop_connections(reset=reset)

    def down(self, seconds: float | None = None) -> None:
        """Let the API server be away, for some seconds or until `up`."""
        self._server.pause()
        if seconds is not None:
            timer = threading.Timer(seconds, self.up)
            timer.daemon = True
            self._timers.append(timer)
            timer.start()

    def up(self) -> None:
        """Let the API server be there again."""
        self._server.resume()

    def expire_history(self) -> None:
        """Forget all changes: watches and continue tokens from before are too old."""
        self.store.forget()

    def wait(self, plural: str, name: str, arrived: str, seconds: float = 30.0, namespace: str = "default") -> Object:
        """Wait until an object is as a test needs it.

        Args:
            plural: Of its kind.
            name: Of it.
            arrived: A pod's phase, or a Job's condition.
            seconds: To wait at most.
            namespace: Of it.

        Raises:
            AssertionError: It did not come so far; tells the object.
        """
        end, obj = time.monotonic() + seconds, None
        while time.monotonic() < end:
            revision = self.store.revision
            entry = self.store.find(named(plural), namespace, name)
            obj = entry.copy() if entry else None
            status = (obj or {}).get("status", {})
            if status.get("phase") == arrived or any(
                (item["type"], item["status"]) == (arrived, "True") for item in status.get("conditions") or []
            ):
                assert obj
                return obj
            self.store.wait(revision, end)
        raise AssertionError(f"{plural} {name} is not {arrived}: {msgspec.json.encode(obj).decode()}")


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context
