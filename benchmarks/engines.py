"""What engines cost on this machine: their first build, and the start of a job when they are there.

    python benchmarks/engines.py [ENGINE ...]

Builds start from empty caches, mlctl's and uv's, so most of their time is the network's. A start is measured in the
engine's own Python: the bare interpreter (`python script.py`), the same as a job starts it (with what travels along on
its path), and a whole job, from the create call to the script's first line. Medians of wall seconds, in turns.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.client import Client
from orchestrator.engines import Engine, ensure_environment, environment_state, get_engine, list_engines
from orchestrator.runtime.guests import bring_guests, python_path
from orchestrator.runtime.task import Task, Workspace

ROUNDS = 5
SCRIPT = "import sys, time\nopen(sys.argv[-1].split('=')[1] + 'stamp', 'w').write(repr(time.time()))\n"
GUESTS = ("moxing", "compat")
MEGABYTE = 1_000_000  # bytes


def build(engine: Engine, folder: Path) -> tuple[float, int]:
    """Build an engine from nothing; return seconds and bytes."""
    os.environ["MLCTL_CACHE"] = str(folder / "cache")
    os.environ["UV_CACHE_DIR"] = str(folder / "uv")
    begun = time.perf_counter()
    ensure_environment(engine)
    return time.perf_counter() - begun, environment_state(engine).size


def start(python: Path, script: Path, path: str) -> float:
    """Start the script; return the seconds until its first line."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    begun = time.time()
    subprocess.run(
        [python, script, f"--train_url={script.parent}/"], env=environment | {"PYTHONPATH": path}, check=True
    )
    return float((script.parent / "stamp").read_text()) - begun


def job(engine: Engine, folder: Path) -> float:
    """Create a job; return the seconds until its script's first line."""
    spec = folder / "job.yaml"
    spec.write_text(
        f"name: start-{engine.framework.lower()}\nengine: {engine.name}\ncode: ./code\nboot_file: main.py\n"
    )
    jobs = Client().jobs
    begun = time.time()
    view = jobs.create(spec)
    view = jobs.wait(view.name, view.version)
    jobs.pull_outputs(view.name, view.version, folder / view.version)
    return float((folder / view.version / "stamp").read_text()) - begun


def measure(engine: Engine, folder: Path) -> list[str]:
    """Return an engine's line of the table."""
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "main.py").write_text(SCRIPT)
    os.environ["MLCTL_HOME"] = str(folder / "home")
    seconds, size = build(engine, folder)
    python, script = ensure_environment(engine), folder / "code" / "main.py"
    none = dict.fromkeys(
        ("job", "version", "store", "prefix", "code_key", "boot_file", "output_store", "output_prefix"), ""
    )
    task, workspace = Task(**none, code_name="code", guests=(*GUESTS, *engine.guests)), Workspace(folder / "work")
    bring_guests(task, workspace)
    path = ":".join(python_path(task, workspace))
    samples = [(start(python, script, ""), start(python, script, path), job(engine, folder)) for _ in range(ROUNDS + 1)]
    bare, with_guests, whole = (statistics.median(sample) for sample in zip(*samples[1:], strict=True))
    version = environment_state(engine).python
    figures = [f"{value:.3f}" for value in (bare, with_guests, whole, whole - bare)]
    return [engine.name, version, f"{seconds:.0f}", f"{size / MEGABYTE:.0f}", *figures]


def main() -> None:
    """Measure the engines that are named, or all."""
    names = sys.argv[1:] or [engine.name for engine in list_engines()]
    table = Table("engine", "Python", "build, s", "MB", "bare", "with guests", "job", "job over bare")
    with tempfile.TemporaryDirectory(prefix="mlctl-bench-") as scratch:
        for name in names:
            line = measure(get_engine(name), Path(scratch, name))
            print(" | ".join(line), flush=True)
            table.add_row(*line)
    Console().print(table)


if __name__ == "__main__":
    main()
