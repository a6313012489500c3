"""What reading metrics costs beside a job that prints 10,000 lines a second; prints a table.

    python benchmarks/metrics.py [--seconds 20]

A log grows by 10,000 lines a second, and a gatherer reads it once a second, as it does beside a job; its CPU time is
taken. One log has prose with a line of metrics among a hundred, the others nothing but metrics. The peer is a reader of
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
STEPS = "step={0} loss=0.{0} accuracy=0.9123 31442 samples/sec\n"
BATCHES = "INFO:root:Epoch[0] Batch [{0}]\tSpeed: 31442.50 samples/sec\taccuracy=0.{0}\n"
RIGHT = "right: 0.{0}\n"
ENGINE = ("mxnet", "steps", "estimator", "keras")  # of tensorflow-2, which has the most
OWN = {"right": r"right: (\S+)"}
CASES = (  # what the lines are, how they are written, one of how many, and a metric of theirs
    ("one of 100 with metrics", STEPS, 100, "loss"),
    ("all with metrics", STEPS, 1, "loss"),
    ("all of MXNet's batches", BATCHES, 1, "accuracy"),
    ("all with one of the spec", RIGHT, 1, "right"),
)


def lines(line: str, second: int, every: int) -> str:
    """Return the lines of one second, one of `every` of them with metrics."""
    numbers = range(second * RATE, (second + 1) * RATE)
    return "".join((line if number % every == 0 else PROSE).format(number) for number in numbers)


def gathered(line: str, every: int, name: str, seconds: int) -> float:
    """Return the CPU time of a gatherer, in per cent of the time that the log stands for."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        workspace.make()
        gatherer = Gatherer(Measures(styles=ENGINE, patterns=OWN), workspace)
        files, used = FolderSource(workspace.output), 0.0
        for second in range(seconds):
            with workspace.log.open("a") as log:
                log.write(lines(line, second, every))
            begun = time.process_time()
            gatherer.gather(files)
            used += time.process_time() - begun
        found = gatherer.table.find(name)
        assert found and found.count == seconds * RATE // every
        return 100 * used / seconds


def line_by_line(line: str, every: int, seconds: int) -> float:
    """Return the same of the peer."""
    patterns = [re.compile(line.pattern) for style in ENGINE for line in STYLES[style]]
    patterns += [re.compile(pattern) for pattern in OWN.values()]
    used = 0.0
    for second in range(seconds):
        text = lines(line, second, every)
        begun = time.process_time()
        for each in text.splitlines():
            for pattern in patterns:
                if pattern.search(each):
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
    for what, line, every, name in CASES:
        ours, peer = gathered(line, every, name, seconds), line_by_line(line, every, seconds)
        print(f"| {what} | {ours:.2f} | {peer:.2f} | {ours / peer:.2f} | under {WANTED:g} |")


if __name__ == "__main__":
    main()
