"""An hour of following, which passes as fast as it can be read: `python -m tests.kubernetes.memory log FOLDER`."""

import gc
import json
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from orchestrator.backends.kubernetes import kubelet_log
from orchestrator.backends.kubernetes.kubelet_log import KubeletLog
from orchestrator.backends.kubernetes.mirror import Mirror
from orchestrator.jobs.logs import LogQuery, read_log
from orchestrator.runtime.logread import LogReader
from orchestrator.store.file import FileStore

HOUR = 3600  # seconds
RATE = 5  # lines in a second
CUT = 290  # seconds after which a connection ends
MAY_GROW = 300_000  # bytes; what passes is twenty times as much
PODS = 50
LINE = b"x" * 400


def held() -> int:
    """Return the bytes that this process holds."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


class Kubelet:
    """An API that sends an hour of a log, and cuts the connection now and then."""

    place = "cluster lab"

    def __init__(self) -> None:
        self.over = threading.Event()

    def path(self, *_names: str, **_parts: str) -> str:
        return "/log"

    def stream(self, path: str, *, sinceTime: str = "", **query: object) -> Iterator[bytes]:
        yield b""
        since = int(datetime.fromisoformat(sinceTime).timestamp()) if sinceTime else 0
        for second in range(since, HOUR):
            stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
            yield b"".join(b"%s.%09dZ %d %s\n" % (stamp, part, second, LINE) for part in range(RATE))
            if second % CUT == CUT - 1 and second > since + 1:
                return
        self.over.wait()  # with an end it would be the store's turn


def follow_log(folder: Path) -> None:
    """Follow a log; fails if it takes more memory at the end than in the beginning."""
    kubelet_log.FIRST_PAUSE = kubelet_log.LONGEST_PAUSE = 0.0
    kubelet_log.STALL = 60.0  # a machine may be busy
    kubelet_log.HELD = 1 << 17
    kubelet = Kubelet()
    live = KubeletLog(kubelet, "pod", "main")  # type: ignore[arg-type]
    reader = LogReader(FileStore(folder), "logs/worker-0/", live)
    whole = sum(len(b"%d %s\n" % (second, LINE)) for second in range(HOUR)) * RATE
    passed, early = [0], 0
    tracemalloc.start()
    try:
        followed = read_log(
            LogQuery(follow=True), [lambda: reader], lambda: passed[0] >= whole, sleep=lambda _: time.sleep(0.001)
        )
        for block in followed:
            passed[0] += len(block)
            if not early and passed[0] > whole // 6:
                early = held()
        assert passed[0] == whole
        assert held() - early < MAY_GROW
    finally:
        tracemalloc.stop()
        live.close()
        kubelet.over.set()


class Watched:
    """An API that tells of pods that change, come and go, for an hour."""

    place = "cluster lab"

    def __init__(self, at: Callable[[int], None]) -> None:
        self.at = at
        self.second = 0

    def read(self, path: str, decoder: msgspec.json.Decoder, **query: str) -> object:
        found = {"metadata": {"resourceVersion": "0"}, "items": [self.pod(name) for name in range(PODS)]}
        return decoder.decode(msgspec.json.encode(found))

    def pod(self, name: int) -> dict:
        metadata = {"name": f"pod-{name}", "resourceVersion": str(self.second), "labels": {"job": f"job-{name}"}}
        return {"metadata": metadata, "status": {"conditions": [{"message": f"{self.second} {'x' * 2000}"}]}}

    def stream(self, path: str, **query: object) -> Iterator[bytes]:
        yield b""
        while self.second < HOUR:
            self.second += 1
            kind = "DELETED" if self.second % 7 == 0 else "MODIFIED"
            pod = self.pod(PODS + self.second if kind == "DELETED" else self.second % PODS)
            events = [{"type": "ADDED", "object": pod}] if kind == "DELETED" else []
            events.append({"type": kind, "object": pod})
            yield b"".join(json.dumps(event).encode() + b"\n" for event in events)
            self.at(self.second)


def follow_watch() -> None:
    """Follow the pods of a namespace; fails as `follow_log`."""
    sizes: list[int] = []

    def at(second: int) -> None:
        groups = copy.groups(age=float("inf"))
        assert len(groups) == PODS
        if second in (HOUR // 6, HOUR):
            sizes.append(held())
        if second == HOUR:
            copy.stop()

    copy = Mirror(Watched(at), "/pods", "x=y", lambda pod: pod["metadata"]["labels"]["job"])  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        copy._run()
    finally:
        tracemalloc.stop()
    early, late = sizes
    assert late - early < MAY_GROW


if __name__ == "__main__":
    follow_log(Path(sys.argv[2])) if sys.argv[1] == "log" else follow_watch()
