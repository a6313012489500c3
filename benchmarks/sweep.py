"""How long a sweep takes beside the processes that it runs: 200 trivial trials, 4 at a time.

    python benchmarks/sweep.py [TRIALS [PARALLEL]]

The peer is the same number of the same processes, as many at a time, with nobody to look after them. Overhead is
what a trial takes longer than such a process: of the whole (wall seconds / trials), and of its own place
(wall seconds * parallel / trials).
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml
from bare import use_bare_engine
from rich.console import Console
from rich.table import Table

from orchestrator.client import Client

TRIALS, PARALLEL = 200, 4
SCRIPT = """\
import argparse
parser = argparse.ArgumentParser()
for name in ("data_url", "train_url", "rate"):
    parser.add_argument("--" + name)
arguments = parser.parse_args()
open(arguments.train_url + "metrics.jsonl", "w").write('{"step": 1, "accuracy": %s}' % arguments.rate)
"""


def prepare(folder: Path, trials: int, parallel: int) -> Path:
    """Make an engine, a job and a sweep; return the sweep's spec."""
    use_bare_engine(folder)
    code = folder / "code"
    code.mkdir()
    (code / "main.py").write_text(SCRIPT)
    job = {"name": "demo", "engine": "bare", "code": str(code), "boot_file": "main.py", "resources": {"cpus": 0.5}}
    sweep = {
        "name": "bench",
        "job": job,
        "algorithm": "random",
        "parameters": {"rate": {"float": [0, 1]}},
        "objective": {"metric": "accuracy"},
        "budget": {"trials": trials, "parallel": parallel},
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(sweep))
    return path


def bare(folder: Path, trials: int, parallel: int) -> float:
    """Return the wall seconds of the processes alone."""
    out = folder / "bare"
    out.mkdir()

    def work(number: int) -> None:
        command = [sys.executable, str(folder / "code" / "main.py"), f"--train_url={out}/{number}-", "--rate=0.5"]
        subprocess.run(command, check=True)

    begun = time.perf_counter()
    with ThreadPoolExecutor(parallel) as pool:
        list(pool.map(work, range(trials)))
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print the table."""
    trials, parallel, *_ = [*map(int, sys.argv[1:]), *(TRIALS, PARALLEL)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ |= {
            "MLCTL_HOME": str(folder / "home"),
            "MLCTL_CPUS": str(parallel),
        }
        spec = prepare(folder, trials, parallel)
        alone = bare(folder, trials, parallel)
        client = Client()
        client.sweeps.create(spec)
        view = client.sweeps.wait("bench")
        view.raise_if_failed()
        taken = view.status.elapsed
    table = Table(title=f"{trials} trials, {parallel} at a time, {os.cpu_count()} CPUs")
    for heading in ("", "wall s", "s per trial", "s per trial x parallel"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows = (("processes alone", alone), ("sweep", taken), ("overhead", taken - alone))
    for name, seconds in rows:
        each = seconds / trials
        table.add_row(name, f"{seconds:.1f}", f"{each:.3f}", f"{each * parallel:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
