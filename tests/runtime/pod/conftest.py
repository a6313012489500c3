"""Pods as processes: the containers' commands on a folder as volume, with a store that is a folder or a bucket."""

import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
import pytest

from orchestrator.runtime.logread import LogReader
from orchestrator.runtime.output import Output
from orchestrator.runtime.pod.volume import Order, Volume
from orchestrator.runtime.status import Status
from orchestrator.runtime.task import Task
from orchestrator.runtime.worker import ALONE
from orchestrator.store import open_store
from orchestrator.store.archive import extract_code, snapshot_code, store_code
from orchestrator.store.manifest import encode_manifest
from orchestrator.store.records import find
from orchestrator.store.transfer import upload_tree


def _shells() -> list[str]:
    """Return the shells that are here, each once: `sh` is one of the others mostly."""
    found = {}
    for shell in ("dash", "busybox sh", "bash --posix", "sh"):
        if path := shutil.which(shell.split()[0]):
            found.setdefault(os.path.realpath(path), shell)
    return list(found.values())


SHELLS = _shells()
PREFIX = "jobs/demo/V0001/"
READY = "print('ready', flush=True)\n"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY + "time.sleep(600)"
WAIT = 60.0  # seconds that a busy machine may take for anything


class Job:
    """A job in a store, and the pods that run it."""

    def __init__(self, folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.url = url
        self.store = open_store(url)
        self.monkeypatch = monkeypatch
        self.pods: list[Pod] = []
        (folder / "code").mkdir(parents=True)
        (folder / "bin").mkdir()
        self.python(f'exec {shlex.quote(sys.executable)} "$@"')

    def python(self, source: str, *, name: str = "python") -> None:
        """Give the image a program with this name, a shell script."""
        program = self.folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{source}\n")
        program.chmod(0o755)

    def submit(self, script: str, *, data: dict[str, str] | None = None, **fields) -> None:
        """Put code, data and record into the store; the script finds its arguments in the dictionary `given`."""
        header = "import os, sys, time, signal\ngiven = dict(a[2:].split('=', 1) for a in sys.argv[1:])\n"
        (self.folder / "code" / "main.py").write_text(header + textwrap.dedent(script))
        task = {
            "job": "demo",
            "version": "V0001",
            "store": self.url,
            "prefix": PREFIX,
            "code_key": store_code(self.store, snapshot_code(self.folder / "code")),
            "code_name": "code",
            "boot_file": "main.py",
            "output_store": self.url,
            "output_prefix": PREFIX + "output/",
        }
        if data is not None:
            folder = self.folder / "data"
            folder.mkdir(exist_ok=True)
            for name, text in data.items():
                (folder / name).write_text(text)
            self.store.put("data/manifest.json", encode_manifest(upload_tree(self.store, "data/files/", folder)))
            task |= {"data_prefix": "data/files/", "data_manifest": "data/manifest.json"}
        self.task = msgspec.convert(task | fields, Task)
        record = {"name": "demo", "number": 1, "created": 1000.0, "task": self.task}
        self.store.put(PREFIX + "job.json", msgspec.json.encode(record))

    def pod(self, name: str = "demo-0-abcde", **environment: str) -> "Pod":
        pod = Pod(self, name, environment)
        self.pods.append(pod)
        return pod

    def away(self) -> None:
        """Have the store, a folder, gone; `back` brings it back."""
        self._store_folder.rename(self.folder / "away")

    def back(self) -> None:
        (self.folder / "away").rename(self._store_folder)

    @property
    def _store_folder(self) -> Path:
        return Path(unquote(urlsplit(self.url).path))

    def status(self, name: str = "status.json") -> Status | None:
        return find(self.store, PREFIX + name, Status)

    def log(self, worker: int = 0) -> bytes:
        log = LogReader(self.store, f"{PREFIX}logs/worker-{worker}/", None)
        return b"".join(log.read(0, log.size()))


class Pod:
    """One pod: a volume of its own, and its containers as processes."""

    def __init__(self, job: Job, name: str, environment: dict[str, str]) -> None:
        self.job = job
        self.volume = Volume(job.folder / f"volume-{name}-{len(job.pods)}")
        self.volume.folder.mkdir()
        self.stdout = self.volume.folder / "container.log"
        self.processes: list[subprocess.Popen] = []
        self.program = [sys.executable, "-m", "orchestrator.runtime.pod"]
        store = {"store": job.url}
        if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
            store["endpoint"] = endpoint
        self.ours = {
            **{key: value for key, value in os.environ.items() if not key.startswith("MLCTL_")},
            "MLCTL_STORE": msgspec.json.encode(store).decode(),
            "MLCTL_JOB_KEY": PREFIX + "job.json",
            "MLCTL_VOLUME": str(self.volume.folder),
            "MLCTL_POD": name,
            **environment,
        }
        self.mark = secrets.token_hex(8).encode()  # in the environment of all its processes
        self.ours["MARK"] = self.mark.decode()
        self.image = {"PATH": f"{job.folder / 'bin'}:{os.environ['PATH']}", "FROM_IMAGE": self.mark.decode()}

    def use(self, folder: Path) -> None:
        """Have the volume there."""
        self.volume = Volume(folder)
        self.ours["MLCTL_VOLUME"] = str(folder)

    def prepare(self) -> None:
        """Do what fetch does, without a process of its own."""
        self.volume.make()
        extract_code(self.job.store, self.job.task.code_key, self.volume.job_dir / "code")
        self.volume.prepare(Order(task=self.job.task, status=Status()), ALONE, {})

    def fetch(self) -> int:
        """Run the init container; return its exit code."""
        return self.start("fetch").wait(WAIT)

    def begin(self) -> tuple[subprocess.Popen, subprocess.Popen]:
        """Start the sidecar and the main container in a volume that is ready."""
        self.prepare()
        return self.start("sync"), self.main()

    @property
    def said(self) -> str:
        """Return what fetch and sync have said."""
        return (self.volume.folder / "said.log").read_text()

    def start(self, part: str) -> subprocess.Popen:
        """Start `fetch` or `sync`."""
        with (self.volume.folder / "said.log").open("ab") as log:
            return self._start([*self.program, part], self.ours, log)

    def main(self, shell: str = "sh") -> subprocess.Popen:
        """Start the main container."""
        program, *options = shell.split()
        command = [shutil.which(program) or program, *options, str(self.volume.start / "launch.sh")]
        with self.stdout.open("wb") as stdout:
            return self._start(command, self.image, stdout)

    def _start(self, command: list[str], environment: dict[str, str], output) -> subprocess.Popen:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, cwd="/", start_new_session=True
        )
        self.processes.append(process)
        return process

    def kill_main(self) -> None:
        """Kill all of the main container."""
        self._kill(b"FROM_IMAGE=" + self.mark)

    def kill_all(self) -> None:
        """Kill everything that is left."""
        self._kill(self.mark)
        for process in self.processes:
            process.wait()

    def _kill(self, mark: bytes) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes():
                    os.kill(int(folder.name), signal.SIGKILL)
            except OSError:
                continue

    def only_tools(self, folder: Path) -> None:
        """Give the image all that an image must have, and no more."""
        folder.mkdir(exist_ok=True)
        for tool in ("cat", "env", "mv", "sleep"):
            (folder / tool).symlink_to(shutil.which(tool) or tool)
        self.image["PATH"] = str(folder)


def finish(pod: Pod, sync: subprocess.Popen, main: subprocess.Popen) -> int:
    """Wait for the end of the pod, as the node does it; return the main container's exit code."""
    code = main.wait(WAIT)
    sync.terminate()
    assert sync.wait(WAIT) == 0
    return code


def saved(job, name: str = "output.json") -> dict[str, bytes]:
    """Return the saved output, which has to be what its record says."""
    output = find(job.store, PREFIX + name, Output)
    assert output is not None
    return {
        entry.path: job.store.get(output.prefix + entry.path).data
        for entry in output.manifest.entries
        if entry.kind == "file"
    }


@pytest.fixture
def make_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Job]]:
    made: list[Job] = []

    def make(url: str) -> Job:
        made.append(Job(tmp_path / f"job-{len(made)}", url, monkeypatch))
        return made[-1]

    yield make
    for job in made:
        for pod in job.pods:
            pod.kill_all()


@pytest.fixture
def job(make_job, tmp_path: Path) -> Job:
    """Give a job in a folder."""
    return make_job((tmp_path / "store").as_uri())


@pytest.fixture
def each_job(make_job, store_url: str) -> Job:
    """Give a job in a folder, then one in a bucket."""
    return make_job(store_url)
