"""How fast mlctl is on this machine, against named peers, in one run.

    python benchmarks/local.py

Peers are installed from PyPI into an environment of their own, in a temporary folder. Every figure
is a median of wall seconds; a ratio is ours over the peer's, measured in turns.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uv
import yaml
from bare import use_bare_engine
from rich.console import Console
from rich.table import Table

from orchestrator.client import Client

MLCTL = str(Path(sys.executable).with_name("mlctl"))
TORCHX = "torchx==0.7.0"
ROUNDS = 7
VERSIONS = 1000
FILES = 10_000
SCRIPT = (
    "import sys, time; open([a for a in sys.argv if a.startswith('--stamp=')][0][8:], 'w').write(str(time.time()))\n"
)


def run(*command: str, cwd: Path | None = None) -> float:
    """Run a command that must succeed; return its wall seconds."""
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - begun


def in_turns(*actions: Callable[[], float]) -> list[float]:
    """Return the median of each action, measured in turns after one warm-up."""
    samples: list[list[float]] = [[] for _ in actions]
    for round_ in range(ROUNDS + 1):
        for action, sample in zip(actions, samples, strict=True):
            seconds = action()
            if round_:
                sample.append(seconds)
    return [statistics.median(sample) for sample in samples]


def help_time() -> list[float]:
    """Return seconds of `mlctl --help` and of importing what it is made of."""
    return in_turns(lambda: run(MLCTL, "--help"), lambda: run(sys.executable, "-c", "import typer, rich"))


def first_line(folder: Path) -> list[float]:
    """Return seconds from the command to the script's first line, for mlctl and torchx."""
    use_bare_engine(folder)
    (folder / "code").mkdir()
    (folder / "code" / "main.py").write_text(SCRIPT)
    spec = folder / "job.yaml"
    spec.write_text(yaml.safe_dump({"name": "bench", "engine": "bare", "code": "./code", "boot_file": "main.py"}))
    peer = folder / "peer"
    run(uv.find_uv_bin(), "venv", "--quiet", str(peer))
    run(uv.find_uv_bin(), "pip", "install", "--quiet", "--python", str(peer), TORCHX)
    stamp = folder / "stamp"

    def until_stamp(*command: str) -> float:
        stamp.unlink(missing_ok=True)
        begun = time.time()
        process = subprocess.Popen(command, cwd=folder / "code", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (stamp.exists() and stamp.read_text()):
            if time.time() - begun > 60:
                raise SystemExit(f"the script of `{' '.join(command)}` never started")
            time.sleep(0.002)
        process.wait()
        return float(stamp.read_text()) - begun

    torchx = [str(peer / "bin" / "torchx"), "run", "-s", "local_cwd", "utils.python", "--script", "main.py"]
    return in_turns(
        lambda: until_stamp(MLCTL, "job", "create", str(spec), "--yes", "--detach", "-p", f"stamp={stamp}"),
        lambda: until_stamp(*torchx, "--", f"--stamp={stamp}"),
    )


def list_time() -> float:
    """Return seconds of `mlctl job list bench` with many versions, copies of the first."""
    store = Client().store
    Client().jobs.wait("bench", timeout=60)
    for number in range(ROUNDS + 2, VERSIONS + 1):
        for name in ("job.json", "status.json"):
            data = store.get(f"jobs/bench/V0001/{name}").data
            store.put(
                f"jobs/bench/V{number:04d}/{name}", data.replace(b'"number": 1,', f'"number": {number},'.encode())
            )
    return in_turns(lambda: run(MLCTL, "job", "list", "bench"))[0]


def push_time(folder: Path) -> tuple[float, float]:
    """Return seconds of the first push of many small files, and of a push with nothing changed."""
    data = folder / "data"
    for number in range(FILES):
        path = data / f"{number % 100:02d}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(1024 + number % 3072))
    time.sleep(3)  # files as young as their index are read again, as in git
    first = run(MLCTL, "dataset", "push", str(data), "--name", "small")
    return first, in_turns(lambda: run(MLCTL, "dataset", "push", str(data), "--name", "small"))[0]


def main() -> None:
    """Measure everything and print one table."""
    table = Table("what", "mlctl, s", "peer, s", "ratio", "wanted")
    with tempfile.TemporaryDirectory(prefix="mlctl-bench-") as scratch:
        folder = Path(scratch)
        os.environ["MLCTL_HOME"] = str(folder / "home")
        ours, peers = help_time()
        table.add_row(
            "mlctl --help / import typer, rich", f"{ours:.3f}", f"{peers:.3f}", f"{ours / peers:.2f}", "≤ 1.5"
        )
        ours, peers = first_line(folder)
        row = "job create to the script's first line / torchx local_cwd"
        table.add_row(row, f"{ours:.3f}", f"{peers:.3f}", f"{ours / peers:.2f}", "≤ 2, and < 1.5 s")
        table.add_row(f"job list of {VERSIONS} versions", f"{list_time():.3f}", "", "", "< 1 s")
        first, again = push_time(folder)
        table.add_row(f"dataset push, {FILES} new files", f"{first:.3f}", "", "", "")
        table.add_row("the same, unchanged", f"{again:.3f}", "", "", "< 1 s")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
