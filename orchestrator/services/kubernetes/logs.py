"""What the pods of a service say, joined: each line of several begins with its pod's own part of the name."""

import queue
import threading
import time
from collections.abc import Generator
from typing import Any

from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.cluster import PODS
from orchestrator.errors import MlctlError, NotFoundError
from orchestrator.services.kubernetes.objects import Objects
from orchestrator.services.kubernetes.plan import FRONT, MODEL

Json = dict[str, Any]

AGAIN = 2.0  # seconds between two looks for pods that are new
SILENCE = 3600.0  # seconds without a line of a pod


def read_logs(api: Api, objects: Objects, name: str, *, models: bool, follow: bool) -> Generator[bytes]:
    """Yield what the pods of a service say; an empty block while there is nothing new.

    Args:
        api: The namespace.
        objects: In it.
        name: Of the service.
        models: What the engines' containers say, instead of the front.
        follow: Go on for ever, also with the pods to come.

    Raises:
        NotFoundError: It has no pods.
    """
    every = objects.pods(name)
    if not every:
        raise NotFoundError(f"service {name} has no pods", hint=f"mlctl service get {name}")
    if not follow:
        for pod in every:
            for container in _containers(pod, models=models):
                for line in _lines(api, pod, container, follow=False):
                    yield _marked(pod, line, several=len(every) > 1)
        return
    lines: queue.Queue[bytes] = queue.Queue()
    begun: set[tuple[str, str]] = set()

    def read(pod: Json, container: str) -> None:
        try:
            for line in _lines(api, pod, container, follow=True):
                lines.put(_marked(pod, line, several=True))
        except MlctlError:  # it has not started yet, or has gone
            begun.discard((pods.name_of(pod), container))

    looked = 0.0
    while True:
        if time.monotonic() - looked > AGAIN:
            looked = time.monotonic()
            for pod in objects.pods(name):
                for container in _containers(pod, models=models):
                    if (pods.name_of(pod), container) not in begun and pods.is_running(pod, container):
                        begun.add((pods.name_of(pod), container))
                        threading.Thread(target=read, args=(pod, container), daemon=True).start()
        try:
            yield lines.get(timeout=AGAIN)
        except queue.Empty:
            yield b""


def _containers(pod: Json, *, models: bool) -> list[str]:
    return [name for name in pods.names(pod) if (name.startswith(MODEL) if models else name == FRONT)]


def _lines(api: Api, pod: Json, container: str, *, follow: bool) -> Generator[bytes]:
    rest = b""
    path = api.path(PODS, pods.name_of(pod), part="log")
    query = {"container": container, "follow": "true" if follow else "false"}
    for block in api.stream(path, read_timeout=SILENCE, **query):
        *whole, rest = (rest + block).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest + b"\n"


def _marked(pod: Json, line: bytes, *, several: bool) -> bytes:
    return f"{pods.name_of(pod).rpartition('-')[2]}: ".encode() + line if several else line
