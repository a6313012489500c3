"""How fast mlctl is with a cluster, in one run: against the tests' stand-in, or a real cluster.

    python benchmarks/kubernetes.py                 # the stand-in, and SeaweedFS as its bucket
    python benchmarks/kubernetes.py --context gpu   # a context of yours; its jobs are named bench-...

The peer is `kubectl apply` of the same manifest, where there is a kubectl. Figures are medians of wall seconds.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from bare import use_bare_engine
from rich.console import Console
from rich.table import Table

from orchestrator import config
from orchestrator.client import Client
from orchestrator.store.serve import S3Server

if TYPE_CHECKING:
    from tests.kubernetes.standin import Standin

# Not this folder, where this file would be taken for the package of its name.
sys.path[0] = str(Path(__file__).parents[1])

MLCTL = str(Path(sys.executable).with_name("mlctl"))
ROUNDS = 7
THREADS, CREATES = 20, 200
LIVE = 1000
LINES, PAUSE = 30, 0.3  # of the script whose log is followed
IDLE = 20.0  # seconds that an idle follower is watched
NEVER = {"gpus": 64}  # more than a node has, so that nothing starts

TICKS = f"""\
import sys, time
print(time.time(), flush=True)
for _ in range({LINES}):
    time.sleep({PAUSE})
    print(time.time(), flush=True)
"""
SLEEPS = "import time\nprint('asleep', flush=True)\ntime.sleep(600)\n"


class Bench:
    """A context, and the jobs that are measured in it."""

    def __init__(self, folder: Path, context: str, standin: "Standin | None") -> None:
        self.folder = folder
        self.context = context
        self.standin = standin
        (folder / "code").mkdir()
        (folder / "code" / "ticks.py").write_text(TICKS)
        (folder / "code" / "sleeps.py").write_text(SLEEPS)

    def spec(self, name: str, boot_file: str, **fields: object) -> Path:
        """Write a job's spec, and return its path."""
        engine = "bare" if self.standin else "mxnet-1.9"
        path = self.folder / f"{name}.yaml"
        text = {"name": name, "engine": engine, "code": "./code", "boot_file": boot_file, **fields}
        path.write_text(yaml.safe_dump(text))
        return path

    def calls(self) -> int:
        """Return how often the API was asked so far; 0 if that is not known."""
        return sum(self.standin.faults.calls.values()) if self.standin else 0


@contextmanager
def opened(folder: Path, context: str | None) -> Iterator[Bench]:
    """Yield a bench with the named context, or with one of its own."""
    if context:
        yield Bench(folder, context, None)
        return
    from tests.kubernetes.standin import Settings, Standin, ours

    with ExitStack() as stack:
        os.environ["MLCTL_HOME"] = str(folder / "home")
        use_bare_engine(folder)
        server = S3Server(folder / "server")
        server.start()
        stack.callback(server.kill)
        server.make_bucket("bench")
        os.environ |= {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        (folder / "cluster").mkdir()
        standin = stack.enter_context(Standin(folder / "cluster", Settings()))
        for image in ("runtime", "bare"):
            standin.images.add(image, ours())
        config.add_context(
            config.Context(
                name="bench",
                store="s3://bench/here",
                endpoint=server.endpoint,
                backend="kubernetes",
                kubeconfig=str(standin.kubeconfig()),
                namespace="default",
            )
        )
        yield Bench(folder, "bench", standin)


def run(*command: str) -> float:
    """Run a command that must succeed; return its wall seconds."""
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - begun


def creates(bench: Bench) -> Iterator[tuple[str, str, str]]:
    """Measure a warm `job create` against `kubectl apply` of such a manifest."""
    spec = str(bench.spec("bench-create", "ticks.py", resources=NEVER))
    create = (MLCTL, "job", "create", spec, "--yes", "-c", bench.context)
    run(*create)
    before = bench.calls()
    ours_ = statistics.median(run(*create) for _ in range(ROUNDS))
    calls = (bench.calls() - before) / ROUNDS
    shown = subprocess.run([*create, "--dry-run", "-o", "json"], capture_output=True, text=True, check=True).stdout
    yield "job create, warm", f"{ours_:.2f} s", f"{calls:.1f} API calls" if calls else ""
    if kubectl := shutil.which("kubectl"):
        samples = []
        for round_ in range(ROUNDS):
            manifest = json.loads(shown)["items"][0]
            manifest["metadata"]["name"] += f"-peer-{round_}"
            path = bench.folder / "manifest.json"
            path.write_text(json.dumps(manifest))
            samples.append(run(kubectl, *_cluster(bench), "apply", "-f", str(path)))
        peer = statistics.median(samples)
        yield "kubectl apply of its manifest", f"{peer:.2f} s", f"ours is {ours_ / peer:.1f} times that (wanted: 2)"
    client = Client(bench.context)
    begun = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        views = list(pool.map(lambda _: Client(bench.context).jobs.create(spec), range(CREATES)))
    seconds = time.perf_counter() - begun
    numbers = sorted(view.record.number for view in views)
    right = numbers == list(range(numbers[0], numbers[0] + CREATES))
    yield f"{CREATES} creates by {THREADS} threads", f"{seconds:.1f} s", "none lost or double" if right else "WRONG"
    cancel_all(client, "bench-create")


def follows(bench: Bench) -> Iterator[tuple[str, str, str]]:
    """Measure how soon a job's first line and those after it are seen, and what idle following costs."""
    client = Client(bench.context)
    view = client.jobs.create(bench.spec("bench-ticks", "ticks.py"))
    accepted = time.time()
    lags, lines = [], b""
    for block in client.jobs.logs(view.name, view.version, follow=True):
        now = time.time()
        *whole, lines = (lines + block).split(b"\n")
        stamps = [float(line) for line in whole]
        if stamps and not lags:
            yield "from the accepted Job to the first line", f"{stamps[0] - accepted:.2f} s", "wanted: 2 s"
        lags += [now - stamp for stamp in stamps]
    yield "a line is seen after", f"{statistics.median(lags):.2f} s", f"at most {max(lags):.2f} s (wanted: 1 s)"
    view = client.jobs.create(bench.spec("bench-sleeps", "sleeps.py"))
    while b"asleep" not in b"".join(client.jobs.logs(view.name, view.version)):
        time.sleep(0.5)
    follower = subprocess.Popen([MLCTL, "logs", "-f", view.name, "-c", bench.context], stdout=subprocess.DEVNULL)
    time.sleep(3)
    before = cpu_of(follower.pid)
    time.sleep(IDLE)
    used = cpu_of(follower.pid) - before
    follower.send_signal(signal.SIGINT)
    follower.wait()
    yield "idle logs -f", f"{100 * used / IDLE:.1f} %", "of a core (wanted: 1 %)"
    client.jobs.cancel(view.name)


def lists(bench: Bench) -> Iterator[tuple[str, str, str]]:
    """Measure the list of many live jobs."""
    specs = [bench.spec(f"bench-live-{number}", "ticks.py", resources=NEVER) for number in range(LIVE)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda spec: Client(bench.context).jobs.create(spec), specs))
    command = (MLCTL, "job", "list", "-c", bench.context)
    run(*command)
    before = bench.calls()
    seconds = run(*command)
    calls = bench.calls() - before
    yield f"job list of {LIVE} live jobs", f"{seconds:.2f} s", f"{calls} API calls (wanted: 1 s, 2 calls)"


def cancel_all(client: Client, name: str) -> None:
    """Cancel all versions of a job that have not ended."""
    with ThreadPoolExecutor(8) as pool:
        waiting = [view for view in client.jobs.list(name) if not view.status.state.finished]
        list(pool.map(lambda view: client.jobs.cancel(view.name, view.version), waiting))


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cluster(bench: Bench) -> list[str]:
    context = config.get_context(bench.context)
    options = {"--kubeconfig": context.kubeconfig, "--context": context.kube_context, "-n": context.namespace}
    return [word for option, value in options.items() if value for word in (option, value)]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--context", help="of a real cluster; by default the stand-in")
    chosen = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's Python does not compile everything anew each time
    parts: list[Callable[[Bench], Iterator[tuple[str, str, str]]]] = [creates, follows]
    if not chosen.context:
        parts.append(lists)
    table = Table("what", "figure", "")
    with tempfile.TemporaryDirectory(prefix="mlctl-bench-") as folder, opened(Path(folder), chosen.context) as bench:
        for part in parts:
            for row in part(bench):
                table.add_row(*row)
                print(*row, sep="  ", file=sys.stderr, flush=True)
    Console().print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"this process, with the stand-in in it: at most {peak:.0f} MB")


if __name__ == "__main__":
    main()
