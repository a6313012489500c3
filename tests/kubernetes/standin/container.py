"""One container of a pod: got, started, watched, started anew and stopped, as the kubelet does it."""

import contextlib
import os
import secrets
import selectors
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

from tests.kubernetes.standin import ending, environment, images, volumes
from tests.kubernetes.standin.defaults import EPOCH, now
from tests.kubernetes.standin.environment import ConfigError
from tests.kubernetes.standin.images import Image
from tests.kubernetes.standin.podlog import PodLog
from tests.kubernetes.standin.probes import Probes
from tests.kubernetes.standin.pulling import pull
from tests.kubernetes.standin.resources import Object
from tests.kubernetes.standin.sandbox import Command, Process, StartError

if TYPE_CHECKING:
    from tests.kubernetes.standin.pod import Pod

RESTARTS = {"Always": (True, True), "OnFailure": (False, True), "Never": (False, False)}  # after success, failure
READ = 64 * 1024  # bytes


class Container:
    """A container.

    Attributes:
        pod: That it belongs to.
        spec: In the manifest.
        name: Of it.
        state: As the API shows it: `waiting`, `running` or `terminated`.
        last_state: Of the run before.
        restarts: How often it was started anew.
        log: Of the newest run.
        previous: Of the run before.
        environment: Its variables, of the newest run.
        ended: Set when it will not be started again.
        probes: Tell how it is.
    """

    def __init__(self, pod: "Pod", spec: Object, *, init: bool, waiting: str) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.init = init
        self.sidecar = init and spec.get("restartPolicy") == "Always"
        self.state: Object = {"waiting": {"reason": waiting}}
        self.last_state: Object = {}
        self.restarts = 0
        self.log: PodLog | None = None
        self.previous: PodLog | None = None
        self.ended = threading.Event()
        self.started = threading.Event()
        self.stopping = threading.Event()
        self.abandoned = threading.Event()
        self.announced = False
        self.process: Process | None = None
        self.id = ""
        self.environment: dict[str, str] = {}
        self._killed_by_memory = False
        self.pod = pod
        self.probes = Probes(self)
        policy = "Always" if self.sidecar else pod.spec["restartPolicy"]
        if init and not self.sidecar and policy == "Always":
            policy = "OnFailure"
        self._again = RESTARTS[policy]
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"{pod.name}/{self.name}")

    @property
    def exit_code(self) -> int | None:
        """How it ended, if it has ended."""
        code: int | None = self.state.get("terminated", {}).get("exitCode")
        return code

    @property
    def field(self) -> str:
        """How events name it."""
        return f"spec.{'initContainers' if self.init else 'containers'}{{{self.name}}}"

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, grace: float) -> None:
        """End it: SIGTERM, and SIGKILL when the grace (seconds) is over; waits until it has ended."""
        if not self._thread.is_alive():
            self.ended.set()
            return
        self.stopping.set()
        end = time.monotonic() + grace
        hook = ((self.spec.get("lifecycle") or {}).get("preStop") or {}).get("exec")
        if hook and self.process and grace > 0:
            self._run_hook(hook["command"], grace)
        self._signal(signal.SIGTERM)
        if not self.ended.wait(max(0.0, end - time.monotonic())):
            self._signal(signal.SIGKILL)
            self.ended.wait()

    def announce_stop(self) -> None:
        """Tell that it will be stopped, if it runs."""
        if self.process and not self.announced:
            self.announced = True
            self.pod.events.normal(self.pod.object, "Killing", f"Stopping container {self.name}", self.field)

    @property
    def ready(self) -> bool:
        """Whether it runs and its probes are content; of an init container, whether it is done."""
        if self.init and not self.sidecar:
            return self.exit_code == 0
        return "running" in self.state and self.probes.ready

    def restart(self) -> None:
        """End it as a liveness probe does, so that it is started again."""
        process = self.process

        def kill() -> None:
            if self.process is process:  # and not the next one
                self._signal(signal.SIGKILL)

        self._signal(signal.SIGTERM)
        timer = threading.Timer(self.pod.spec["terminationGracePeriodSeconds"], kill)
        timer.daemon = True
        timer.start()

    def kill(self, *, memory: bool = False) -> None:
        """End its processes at once, as the kernel does when they take too much memory, or as anybody may."""
        self._killed_by_memory = memory
        self._signal(signal.SIGKILL)

    def abandon(self) -> None:
        """End it without a word, as when its node is lost."""
        self.stopping.set()
        self.abandoned.set()
        self._signal(signal.SIGKILL)

    def wait_for(self, reason: str, message: str = "") -> None:
        """Take note of what it waits for, and report it."""
        if "terminated" in self.state:
            self.last_state = self.state
        self.state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        self.pod.publish()

    def status(self) -> Object:
        """Tell its status."""
        shown: Object = {
            "name": self.name,
            "state": self.state,
            "lastState": self.last_state,
            "ready": self.ready,
            "restartCount": self.restarts,
            "image": images.full(self.spec["image"]) if self.id else self.spec["image"],
            "imageID": f"sha256:{'0' * 64}" if self.id else "",
            "started": "running" in self.state and self.probes.started,
        }
        if self.id:
            shown["resources"] = self.spec["resources"]
        if self.id:
            shown["containerID"] = self.id
        return shown

    def _run_hook(self, words: list[str], grace: float) -> None:
        assert self.process
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        command = self.process.run_beside(["env", "-i", *variables, *words])
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=grace, check=False)

    def _signal(self, number: int) -> None:
        with self._lock:
            if self.process:
                self.process.signal(number)

    def _run(self) -> None:
        tries = 0
        while not self.stopping.is_set():
            image = pull(self)
            if image is None:
                break
            code = self._run_once(image)
            if code is None or self.stopping.is_set() or not self._again[code != 0]:
                break
            if tries:
                wait = self.pod.node.settings.crash_backoff * 2 ** (tries - 1)
                message = f"back-off {wait:g}s restarting failed container={self.name} pod={self.pod.label}"
                self.wait_for("CrashLoopBackOff", message)
                self.pod.events.warning(
                    self.pod.object,
                    "BackOff",
                    f"Back-off restarting failed container {self.name} in pod {self.pod.label}",
                    self.field,
                )
                if self.stopping.wait(wait):
                    self.state, self.last_state = self.last_state, {}
                    break
            tries += 1
            self.restarts += 1
        self.ended.set()
        self.pod.ring()

    def _run_once(self, image: Image) -> int | None:
        """Run the container's command; gives its exit code, or None if the container is to end before it could."""
        while True:
            try:
                variables = environment.build(self.pod.node.store, self.pod.object, self.spec, image)
                break
            except ConfigError as error:
                self.pod.events.warning(self.pod.object, "Failed", f"Error: {error}", self.field)
                self.wait_for("CreateContainerConfigError", str(error))
                if self.stopping.wait(self.pod.node.settings.sync_every):
                    return None
        words = [
            environment.expand(word, variables) for word in self.spec.get("command") or image.entrypoint or ["/bin/sh"]
        ]
        if self.spec.get("args"):
            words += [environment.expand(word, variables) for word in self.spec["args"]]
        self.environment = variables
        if "terminated" in self.state:
            self.last_state = self.state
        self.id = f"containerd://{secrets.token_hex(32)}"
        self.previous = self.log
        self.log = PodLog(self.pod.log_path(self.name, self.restarts), self.pod.node.settings.log_size)
        self.pod.events.normal(self.pod.object, "Created", "Container created", self.field)
        mounts = volumes.mounts(self.spec, self.pod.volumes, variables)
        if not image.shell and words[:1] != list(image.entrypoint[:1]):
            return self._fail_start(words[0], "no such file or directory")
        command = Command(
            words=words,
            environment=variables,
            folder=self.spec.get("workingDir") or image.workdir,
            host=variables["HOSTNAME"],
            mounts=mounts,
            user=self._user(),
            no_new_rights=(self.spec.get("securityContext") or {}).get("allowPrivilegeEscalation") is False,
        )
        began = now()
        with self._lock:
            if self.stopping.is_set():
                return None
            try:
                self.process = Process(command, self.pod.root(self.name, self.restarts))
            except StartError as error:
                return self._fail_start(words[0], str(error))
        self.probes.begin()
        self.state = {"running": {"startedAt": began}}
        self.pod.events.normal(self.pod.object, "Started", "Container started", self.field)
        self.started.set()
        self.pod.publish()
        self.pod.ring()
        self._read(self.process, self.log)
        code = self.process.wait()
        with self._lock:
            self.process = None
        self.probes.end()
        self.log.end()
        memory, self._killed_by_memory = self._killed_by_memory, False
        told = ending.message(self.spec, code, self.log, volumes.mounts(self.spec, self.pod.volumes, {}))
        shown = ending.outcome(code, memory=memory) | ({"message": told} if told else {})
        times = {"startedAt": began, "finishedAt": now()}
        self.state = {"terminated": {**shown, **times, "containerID": self.id}}
        self.pod.publish()
        return code

    def _user(self) -> tuple[int, int, list[int]] | None:
        """Say as whom to run, if the node can and is to do that."""
        context = {**(self.pod.spec.get("securityContext") or {}), **(self.spec.get("securityContext") or {})}
        user = context.get("runAsUser")
        if user is None or not self.pod.node.settings.users or os.geteuid() != 0:
            return None
        groups = [*context.get("supplementalGroups", []), *([context["fsGroup"]] if "fsGroup" in context else [])]
        return user, context.get("runAsGroup", 0), groups

    def _fail_start(self, program: str, why: str) -> int:
        message = ending.start_error(program, why)
        self.pod.events.warning(self.pod.object, "Failed", f"Error: {message}", self.field)
        shown = {"exitCode": 128, "reason": "StartError", "message": message, "startedAt": EPOCH}
        self.state = {"terminated": {**shown, "finishedAt": now(), "containerID": self.id}}
        assert self.log
        self.log.end()
        self.pod.publish()
        return 128

    @staticmethod
    def _read(process: Process, log: PodLog) -> None:
        """Write what a process says to its log, until both of its streams have ended."""
        with selectors.DefaultSelector() as selector:
            selector.register(process.output, selectors.EVENT_READ, "stdout")
            selector.register(process.errors, selectors.EVENT_READ, "stderr")
            while selector.get_map():
                for key, _ in selector.select():
                    data = key.fileobj.read(READ)  # type: ignore[union-attr]
                    log.write(key.data, data)
                    if not data:
                        selector.unregister(key.fileobj)
                        key.fileobj.close()  # type: ignore[union-attr]
