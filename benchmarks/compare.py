"""How fast 100 versions of a job are compared, in a folder and in a bucket (SeaweedFS on this machine).

    python benchmarks/compare.py             # a minute

Each version has parameters and code of its own and five metrics of 1000 points. Every command is a process of its own.
Figures are medians of wall seconds. Prints a Markdown table.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import msgspec
from listing import BUCKET, NAME, Row, fill, measure, run, show
from peers import MLCTL

from orchestrator.jobs.record import JobRecord, version_prefix
from orchestrator.metrics.table import METRICS, POINTS, Series, Table, point
from orchestrator.runtime.status import Status
from orchestrator.runtime.task import JOB, STATUS
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.gather import gather
from orchestrator.store.records import read, write
from orchestrator.store.serve import S3Server

VERSIONS = 100
ROUNDS = 5
NAMES = ("loss", "accuracy", "val_loss", "val_accuracy", "lr")


def table(number: int) -> Table:
    """Return the metrics of a version."""
    series = []
    for name in NAMES:
        first = point(0, 0.0, 1.0)
        one = Series(name=name, source="log", goal="minimize", guessed=True, best=first, last=first)
        for step in range(POINTS):
            one.extend([step], 1.7e9 + step, [number / (step + 1)])
        series.append(one)
    return Table(series=series)


def vary(store: Store, versions: int) -> None:
    """Give the versions that `fill` has made parameters, code and metrics of their own."""

    def put(number: int) -> None:
        prefix = version_prefix(NAME, number)
        record, status = read(store, prefix + JOB, JobRecord), read(store, prefix + STATUS, Status)
        assert record.code
        record.parameters = {f"p{n}": number if n < 10 else n for n in range(20)}
        record.code = msgspec.structs.replace(record.code, files={f"f{n}.py": f"{number:064x}" for n in range(20)})
        status.metrics = table(number).summaries()
        write(store, prefix + JOB, record)
        write(store, prefix + STATUS, status)
        write(store, prefix + METRICS, table(number))

    gather(put, range(1, versions + 1))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--versions", type=int, default=VERSIONS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlctl-bench-") as scratch, S3Server(Path(scratch, "server")) as server:
        server.make_bucket(BUCKET)
        cache = Path(scratch, "cache")
        os.environ |= {
            "MLCTL_HOME": str(Path(scratch, "home")), "MLCTL_CACHE": str(cache),
            "AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_ENDPOINT_URL": server.endpoint, "AWS_REGION": "us-east-1",
        }  # fmt: skip
        run([MLCTL, "context", "add", "bench", "--store", f"s3://{BUCKET}", "--endpoint", server.endpoint])

        def clear() -> None:
            shutil.rmtree(cache, ignore_errors=True)

        rows = [Row("`mlctl --version`, for comparison", [MLCTL, "--version"])]
        for context, where in (("local", "folder"), ("bench", "bucket")):
            store = open_store(f"s3://{BUCKET}" if context == "bench" else Path(scratch, "home", "store").as_uri())
            fill(store, given.versions)
            vary(store, given.versions)
            command = [MLCTL, "-c", context, "job", "compare", NAME]
            rows += [
                Row(f"`job compare`, {where}, the very first", command, rounds=1),
                Row(f"`job compare`, {where}, cold: nothing in the local cache", command, clear, wanted="under 1 s"),
                Row(f"`job compare`, {where}, warm", command, wanted="under 1 s"),
                Row(f"`job compare --plot loss`, {where}", [*command, "--plot", "loss"]),
            ]
        samples = measure(rows, given.rounds)
    print(f"{given.versions:,} versions")
    show(rows, samples)


if __name__ == "__main__":
    main()
