"""What reading metrics costs beside a job that prints 10,000 lines a second; prints a table.

    python benchmarks/metrics.py [--seconds 20]

A log grows by 10,000 lines a second, and a gatherer reads it once a second, as it does beside a job; its CPU time is
taken. One log has prose with a line of metrics among a hundred, the other nothing but metrics. The peer is a reader of
the same lines with Python's `re` alone, one pattern after the other for each line, as most tools do it.
"""

import argparse
import re
import tempfile
import time
from pathlib import Path

from orchestrator.metrics.patterns import Measures
from orchestrator.metrics.styles import STYLES
from orchestrator.runtime.events.sources import FolderSource
from orchestrator.runtime.measure.gather import Gatherer
from orchestrator.runtime.task import Workspace

RATE = 10_000  # lines in a second
WANTED = 2.0  # per cent of a CPU
PROSE = "2026-11-22 10:00:00,123 INFO worker 3: read batch {0} with 128 samples from shard 17 in 0.0123 s\n"
METRICS = "step={0} loss=0.{0} accuracy=0.9123 31442 samples/sec\n"
ENGINE = ("mxnet", "steps", "estimator", "keras")  # of tensorflow-2, which has the most
OWN = {"right": r"right: (\S+)"}


def lines(second: int, every: int) -> str:
    """Return the lines of one second, one of `every` of them with metrics."""
    numbers = range(second * RATE, (second + 1) * RATE)
    return "".join((METRICS if number % every == 0 else PROSE).format(number) for number in numbers)


def gathered(every: int, seconds: int) -> float:
    """Return the CPU time of a gatherer, in per cent of the time that the log stands for."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        workspace.make()
        gatherer = Gatherer(Measures(styles=ENGINE, patterns=OWN), workspace)
        files, used = FolderSource(workspace.output), 0.0
        for second in range(seconds):
            with workspace.log.open("a") as log:
                log.write(lines(second, every))
            begun = time.process_time()
            gatherer.gather(files)
            used += time.process_time() - begun
        found = gatherer.table.find("loss")
        assert found and found.count == seconds * RATE // every
        return 100 * used / seconds


def line_by_line(every: int, seconds: int) -> float:
    """Return the same of the peer."""
    patterns = [re.compile(line.pattern) for style in ENGINE for line in STYLES[style]]
    patterns += [re.compile(pattern) for pattern in OWN.values()]
    used = 0.0
    for second in range(seconds):
        text = lines(second, every)
        begun = time.process_time()
        for line in text.splitlines():
            for pattern in patterns:
                if pattern.search(line):
                    break
        used += time.process_time() - begun
    return 100 * used / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=20)
    seconds = parser.parse_args().seconds
    print("| 10,000 lines a second | mlctl, % of a CPU | line by line, % | ratio | wanted, % |")
    print("| --- | --- | --- | --- | --- |")
    for name, every in (("one of 100 with metrics", 100), ("all with metrics", 1)):
        ours, peer = gathered(every, seconds), line_by_line(every, seconds)
        print(f"| {name} | {ours:.2f} | {peer:.2f} | {ours / peer:.2f} | under {WANTED:g} |")


if __name__ == "__main__":
    main()
