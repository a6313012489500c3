"""What the kubelet asks a container by HTTP: whether it has started, whether it is ready, whether it lives."""

import http.client
import threading
import time
from typing import TYPE_CHECKING

from tests.kubernetes.standin.resources import Object

if TYPE_CHECKING:
    from tests.kubernetes.standin.container import Container

FINEST = 0.1  # of a period: a test's second is a tenth of a cluster's


class Probes:
    """The probes of a container, of the kind `httpGet`.

    Attributes:
        started: Whether the startup probe has been content.
        ready: Whether the readiness probe is.
    """

    def __init__(self, container: "Container") -> None:
        self._container = container
        self._over = threading.Event()
        self._has = {kind: container.spec.get(f"{kind}Probe") for kind in ("startup", "readiness", "liveness")}
        self.started = self.ready = False

    def begin(self) -> None:
        """Begin with a new run of the container."""
        self.started = not self._has["startup"]
        self.ready = self.started and not self._has["readiness"]
        self._over = threading.Event()
        if any(self._has.values()):
            threading.Thread(target=self._watch, args=(self._over,), daemon=True).start()

    def end(self) -> None:
        """Take note that the run is over."""
        self._over.set()
        self.started = self.ready = False

    def _watch(self, over: threading.Event) -> None:
        if (startup := self._has["startup"]) and not self._until_content(startup, over):
            return
        self.started = True
        self.ready = not self._has["readiness"]
        self._container.pod.publish()
        failures = {"readiness": 0, "liveness": 0}
        due = dict.fromkeys((kind for kind in failures if self._has[kind]), 0.0)
        while due and not over.is_set():
            kind = min(due, key=lambda one: due[one])
            if over.wait(max(0.0, due[kind] - time.monotonic())):
                return
            probe = self._has[kind]
            assert probe
            why = self._ask(probe)
            due[kind] = time.monotonic() + probe["periodSeconds"] * FINEST
            failures[kind] = failures[kind] + 1 if why else 0
            if why:
                self._tell(kind, why)
            if kind == "readiness" and not over.is_set():
                self._settle(ready=not why if not why or failures[kind] >= probe["failureThreshold"] else self.ready)
            elif kind == "liveness" and failures[kind] >= probe["failureThreshold"]:
                self._container.restart()
                return

    def _until_content(self, probe: Object, over: threading.Event) -> bool:
        for _ in range(probe["failureThreshold"]):
            why = self._ask(probe)
            if not why:
                return True
            if over.wait(probe["periodSeconds"] * FINEST):
                return False
        self._tell("startup", "it did not start in time")
        self._container.restart()
        return False

    def _settle(self, *, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            self._container.pod.publish()

    def _ask(self, probe: Object) -> str:
        """Ask; gives what is wrong, nothing if all is well."""
        asked = probe["httpGet"]
        ports = {port.get("name"): port["containerPort"] for port in self._container.spec.get("ports") or []}
        number = ports.get(asked["port"], asked["port"])
        host = self._container.pod.address
        connection = http.client.HTTPConnection(host, number, timeout=probe["timeoutSeconds"])
        try:
            connection.request("GET", asked.get("path", "/"))
            status = connection.getresponse().status
            return "" if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"
        except OSError as error:
            return f'Get "http://{host}:{number}{asked.get("path", "/")}": {error}'
        finally:
            connection.close()

    def _tell(self, kind: str, why: str) -> None:
        container = self._container
        container.pod.events.warning(
            container.pod.object, "Unhealthy", f"{kind.capitalize()} probe failed: {why}", container.field
        )
