"""How fast mlctl moves data to a bucket and back, against named peers, in one run with one server.

    python benchmarks/transfer.py            # 20 minutes, 7 GB of disk below TMPDIR
    python benchmarks/transfer.py --quick    # 1 minute: whether it works, not how fast

The server is SeaweedFS on this machine, the peers are from PyPI; every command is a process of its own, and finds an
empty bucket. In each round all take their turn; the figures are medians, with the least and the most. A ratio is ours
over that of the fastest peer: s5cmd, rclone, or the AWS CLI, which takes part in the first round alone. obstore is a
library, here with a loop in a few threads that neither verifies nor skips anything: no peer, but the measure of what is
possible. Prints a Markdown table.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from peers import MLCTL, Call, Tool, install, mlctl, peers

from orchestrator.store.serve import S3Server

BUCKET = "bench"
ROUNDS = 3
WATCH = 0.02  # seconds between two looks at a process's memory
SETTLE = 3.0  # seconds: files as young as their index are read again, as in git
MIB = 1 << 20
MANY = 10  # folders of a hundred files
CLASSES = ("small", "unchanged", "medium", "large")
COLUMNS = ("", "tool", "wall, s", "least to most", "ratio", "wanted", "CPU, s", "peak, MB")


class Used(NamedTuple):
    """What a command took: wall and CPU seconds, and peak memory in MB."""

    wall: float
    cpu: float
    memory: float


Samples = dict[tuple[str, str], list[Used]]  # by what was done and the tool's name


def run(command: list[str]) -> Used:
    """Run a command that must succeed."""
    with tempfile.TemporaryFile() as said:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
        peak = [0.0]
        watch = threading.Thread(target=watch_memory, args=(process.pid, peak))
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        watch.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)}\n{said.read().decode(errors='replace')}")
    return Used(wall, usage.ru_utime + usage.ru_stime, peak[0])


def watch_memory(pid: int, peak: list[float]) -> None:
    """Keep the peak of a process in MB, until it ends; what wait4 tells is at least that of the process before it."""
    while True:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            return
        found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        if not found:  # it has ended
            return
        peak[0] = int(found[0]) * 1024 / 1e6
        time.sleep(WATCH)


def make_data(folder: Path, sizes: list[int]) -> Path:
    """Write files of random bytes, a hundred to a folder."""
    chance = random.Random(1)
    for number, size in enumerate(sizes):
        path = folder / f"{number // 100:03d}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for start in range(0, size, MIB):
                file.write(chance.randbytes(min(MIB, size - start)))
    return folder


def same(one: Path, other: Path) -> bool:
    """Return whether two folders have the same files."""
    return subprocess.run(["diff", "-rq", one, other], capture_output=True).returncode == 0


class Bench:
    """The server, and what was measured with it."""

    def __init__(self, server: S3Server, home: Path) -> None:
        keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        os.environ |= keys | {
            "AWS_ENDPOINT_URL": server.endpoint,
            "S3_ENDPOINT_URL": server.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            "MLCTL_HOME": str(home),
        }
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's Python does not compile everything anew each time
        self._home = home
        self._client: Any = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
        self._client.create_bucket(Bucket=BUCKET)
        run([MLCTL, "context", "add", "bench", "--store", f"s3://{BUCKET}/mlctl", "--endpoint", server.endpoint])
        os.environ["MLCTL_CONTEXT"] = "bench"

    def clear(self) -> None:
        """Empty the bucket, which frees its space, and have the server make room for the next; forget all notes."""
        self._client.delete_bucket(Bucket=BUCKET)
        self._client.create_bucket(Bucket=BUCKET)
        self._client.put_object(Bucket=BUCKET, Key="first", Body=b"first")
        shutil.rmtree(self._home / "index", ignore_errors=True)

    def there_and_back(self, tools: list[Tool], data: Path, rounds: int) -> Samples:
        """Push and pull in turns."""
        found: Samples = {}
        for number in range(rounds):
            for tool in tools if number % 2 else tools[::-1]:
                if number and tool.slow:
                    continue
                self.clear()
                # Never the same: ext4 is slow where many files were just deleted.
                back = data.with_name(f"back-{tool.prefix(data)}-{number}")
                for what, call, folder in (("push", tool.push, data), ("pull", tool.pull, back)):
                    found.setdefault((what, tool.name), []).append(run(call(folder, tool.prefix(data))))
                if not same(data, back):
                    raise SystemExit(f"{tool.name} brought back something else")
                if sum(1 for _ in back.iterdir()) < MANY:
                    shutil.rmtree(back)
        return found

    def unchanged(self, tools: list[Tool], data: Path, rounds: int) -> Samples:
        """Push once, then again with nothing changed, in turns."""
        found: Samples = {}
        self.clear()
        able: list[tuple[Tool, Call]] = [(tool, tool.again) for tool in tools if tool.again]
        for tool, _ in able:
            run(tool.push(data, tool.prefix(data)))
        for _ in range(rounds):
            for tool, again in able:
                found.setdefault(("push", tool.name), []).append(run(again(data, tool.prefix(data))))
        return found


def rows(what: str, found: Samples, tools: list[Tool], wanted: dict[str, str]) -> Iterator[list[str]]:
    """Yield a line for each tool; those of ours with their ratio to the fastest peer."""
    for direction in dict.fromkeys(direction for direction, _ in found):
        wall = {
            name: statistics.median(used.wall for used in of) for (to, name), of in found.items() if to == direction
        }
        fastest = min(wall[tool.name] for tool in tools if tool.peer and tool.name in wall)
        for tool in tools:
            if tool.name not in wall:
                continue
            samples = found[direction, tool.name]
            ours = tool.name.startswith("mlctl")
            yield [
                f"{what}, {direction}",
                tool.name,
                f"{wall[tool.name]:.2f}",
                f"{min(samples).wall:.2f} to {max(samples).wall:.2f}" if len(samples) > 1 else "once",
                f"{wall[tool.name] / fastest:.2f}" if ours else "",
                wanted.get(f"{direction} {tool.name}", ""),
                f"{statistics.median(used.cpu for used in samples):.2f}",
                f"{max(used.memory for used in samples):.0f}",
            ]


def measure(bench: Bench, scratch: Path, others: list[Tool], asked: argparse.Namespace) -> Iterator[list[str]]:
    """Yield the lines of all classes that are asked for."""
    packed, plain = mlctl("packed"), mlctl("plain")
    every, rounds, files = [packed, plain, *others], asked.rounds, asked.files
    bench.there_and_back(every, make_data(scratch / "warm", [1000] * 10), 1)
    small = scratch / "small"
    if {"small", "unchanged"} & set(asked.only):
        make_data(small, [1024 + number % 3072 for number in range(files)])
        time.sleep(SETTLE)
    if "small" in asked.only:
        found = bench.there_and_back(every, small, rounds)
        wanted = {"push mlctl packed": "≤ 0.10", "pull mlctl packed": "≤ 0.25"}
        yield from rows(f"{files:,} files of 1 to 4 KiB", found, every, wanted)
    if "unchanged" in asked.only:
        found = bench.unchanged(every, small, rounds)
        yield from rows(f"{files:,} files, unchanged", found, every, {"push mlctl packed": "≤ 0.33"})
    shutil.rmtree(small, ignore_errors=True)
    single, wanted = [plain, *others], {"push mlctl plain": "≤ 1.00", "pull mlctl plain": "≤ 1.00"}
    for name, sizes, what in (
        ("medium", [MIB] * 200, "200 files of 1 MiB"),
        ("large", [asked.large << 20], f"one file of {asked.large} MiB"),
    ):
        if name in asked.only:
            data = make_data(scratch / name, sizes)
            yield from rows(what, bench.there_and_back(single, data, rounds), single, wanted)
            shutil.rmtree(data)


def main() -> None:
    """Measure everything and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CLASSES, action="append", help="a class of files; may be repeated")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="one round of little data, with the fast peers alone")
    asked = parser.parse_args()
    asked.only = asked.only or CLASSES
    asked.files, asked.large = (1_000, 256) if asked.quick else (10_000, 2048)
    with tempfile.TemporaryDirectory(prefix="mlctl-bench-") as name:
        scratch = Path(name)
        print(install(scratch / "peers"), end="\n\n")
        with S3Server(scratch / "server") as server:
            bench = Bench(server, scratch / "home")
            others = peers(scratch / "peers", BUCKET)
            if asked.quick:
                asked.rounds, others = 1, [tool for tool in others if not tool.slow]
            for row in (COLUMNS, ["---"] * len(COLUMNS)):
                print("|", " | ".join(row), "|")
            for row in measure(bench, scratch, others, asked):
                print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
