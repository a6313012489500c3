"""What mlctl shows of one job in two places, made comparable; what differs for a reason is named here."""

import json
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from difflib import ndiff
from typing import Any, NamedTuple

from tests.cli.conftest import MLCTL, Run

LONGEST = 300  # seconds of one command

MEASURED = {"created", "queued", "started", "finished", "heartbeat", "duration", "time", "mtime_ns"} | {
    "peak_memory",
    "cpu_seconds",
    "log_bytes",  # a traceback names the script's folder
    "number",  # of metrics: losses in their last digits, samples in a second
    "step",
    "trend",
    "since",
    "begun",
}
"""Times and amounts: the same if both are there, or neither is."""
SIZES = {"size", "output_bytes", "sha256"}
"""Of files that say how long it took to make them."""

OWN = {
    "machine": "this machine, or the namespace and the cluster",
    "backend": "its kind",
    "run": "names a folder of this machine, or objects of the cluster",
    "digest": "of what was asked for, the place included",
    "environment": "of the engine: a Python environment of this machine, or an image",
    "pod": "only a cluster has one",
    "cost": "this machine is free",
    "price": "this machine is free",
}
"""Keys of JSON whose values are the place's own."""

_WAITING = re.compile(r"^(?:QUEUED|PENDING|STARTING): .*\n", re.MULTILINE)  # for what, and how long, is the place's own
_COLUMNS = re.compile(r" {2,}")
_COST = re.compile(r"^Cost .*\n", re.MULTILINE)  # this machine is free
_AMOUNTS = re.compile(r"^(Peak memory|CPU time) .*$", re.MULTILINE)
_NUMBERS = (
    (re.compile(r"(?m)^(Metrics| {7}) +(\S+) \S+(?: \(best .*\))?$"), r"\1 \2 <measured>"),
    (re.compile(r"[▁-█]{2,}"), "<trend>"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?"), "<moment>"),
    (re.compile(r"\[\d\d:\d\d:\d\d\]"), "<moment>"),
    (re.compile(r"\b\d+(?:\.\d+)? (?:bytes|[kMG]B)"), "<size>"),
    (re.compile(r"/[^\s\"]*/work/(?=user-job-dir/|output/)"), "<work>/"),
    (re.compile(r"\bjust now\b|\b\d+[smh] ago\b"), "<ago>"),
    (re.compile(r"\b(?:\d+m )?\d+(?:\.\d)?s\b"), "<duration>"),
    (re.compile(r"\b\d+\.\d+(?:e-?\d+)?\b|\b\d+(?= samples/sec)"), "<measured>"),
)


class Shown(NamedTuple):
    """What a command did, without what is the place's own."""

    code: int
    out: Any
    err: str


class Place:
    """A context in which jobs are made and looked at by the real program.

    Args:
        mlctl: Runs it.
        name: Of the context.
        store: Its URL.

    Attributes:
        measured: Keys of JSON whose values are amounts.
        shown: What each command showed.
    """

    def __init__(self, mlctl: Run, name: str, store: str) -> None:
        self.name = name
        self.measured = MEASURED
        self.shown: dict[str, Shown] = {}
        self._mlctl = mlctl
        self._store = store

    def see(self, *words: str) -> Shown:
        """Run a command, and keep what it showed."""
        done = self._mlctl(*words, "-c", self.name, timeout=LONGEST)
        self.keep(" ".join(words), done.returncode, done.stdout, done.stderr)
        return self.shown[" ".join(words)]

    def keep(self, command: str, code: int, out: str, err: str) -> None:
        """Keep what a command showed."""
        told = self._plain(json.loads(out)) if out and command.endswith("-o json") else self._text(out)
        self.shown[command] = Shown(code, told, self._text(_WAITING.sub("", err)))

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start a command that goes on."""
        pipe = subprocess.PIPE
        return subprocess.Popen([MLCTL, *words, "-c", self.name], stdout=pipe, stderr=pipe, text=True)

    def _text(self, text: str) -> str:
        text = text.replace(self._store, "<store>").replace(f"-c {self.name}", "-c <context>")
        text = _AMOUNTS.sub(r"\1", _COST.sub("", text))
        for pattern, name in _NUMBERS:
            text = pattern.sub(name, text)
        return "\n".join(_COLUMNS.sub("  ", line).rstrip() for line in text.splitlines())

    def _plain(self, value: Any, key: str = "") -> Any:
        if key in OWN:
            return OWN[key]
        if key in self.measured:
            return value is not None if key in ("step", "number") else bool(value)  # the first step is 0
        if isinstance(value, dict):
            return {name: self._plain(one, name) for name, one in value.items()}
        if isinstance(value, list):
            # To the events of the job a cluster adds those of its own objects.
            kept = [one for one in value if not (isinstance(one, dict) and "about" in one and "/" not in one["about"])]
            return [self._plain(one) for one in kept]
        return self._text(value) if isinstance(value, str) else value


def same(places: list[Place], story: Callable[[Place], None]) -> dict[str, Shown]:
    """Let the same happen in both places at once; require that each command shows the same, and return that."""
    with ThreadPoolExecutor(len(places)) as pool:
        list(pool.map(story, places))
    here, there = (place.shown for place in places)
    assert list(here) == list(there)
    differences = [
        f"mlctl {command}: {line}" for command in here for line in _differences(here[command], there[command])
    ]
    assert not differences, "\n".join(differences)
    return here


def _differences(here: Shown, there: Shown) -> list[str]:
    texts = [json.dumps(shown._asdict(), indent=1).replace("\\n", "\n").splitlines() for shown in (here, there)]
    return [line for line in ndiff(*texts) if line[0] in "-+"]
