"""obstore against boto3, request by request, both set up as mlctl does; prints the table of docs/decisions.md.

    python benchmarks/s3_clients.py                    # in a SeaweedFS of its own, below TMPDIR
    python benchmarks/s3_clients.py s3://bucket/bench  # with the keys and AWS_ENDPOINT_URL in the environment

Milliseconds of wall time for one request, the two clients in turns, medians; beside them milliseconds of CPU.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import obstore
from rich.console import Console
from rich.table import Table

from orchestrator.store import open_store
from orchestrator.store.s3 import S3Store
from orchestrator.store.serve import S3Server

ROUNDS = 300
LISTS = 5
STARTS = 5
OBJECTS = 10_000  # of the list
THREADS = 8
DATA = b"x" * 2048
BUCKET = "bench"

Work = Callable[[int], object]


def timed(work: Work, number: int) -> tuple[float, float]:
    """Return milliseconds of wall time and of this process's CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work(number)
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3


def compare(boto: Work, obs: Work, rounds: int) -> list[str]:
    """Return the medians of both in turns: wall and CPU of boto3, then of obstore."""
    found: tuple[list[tuple[float, float]], ...] = ([], [])
    for number in range(-2, rounds):  # the first ones open connections
        for kind, work in enumerate((boto, obs)):
            measured = timed(work, number)
            if number >= 0:
                found[kind].append(measured)
    return [f"{statistics.median(column):.2f}" for one in found for column in zip(*one, strict=True)]


def start(program: str) -> tuple[float, float]:
    """Return milliseconds of wall time and CPU of a program in a new Python, without those of an empty one."""

    def once(text: str) -> tuple[float, float]:
        wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", text], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return (time.perf_counter() - wall) * 1e3, cpu * 1e3

    runs = [(once(text), once("pass")) for text in [program] * STARTS]
    wall, cpu = (statistics.median(one[kind] - empty[kind] for one, empty in runs) for kind in (0, 1))
    return wall, cpu


def main(url: str) -> None:
    """Measure in a bucket."""
    store = open_store(url)
    assert isinstance(store, S3Store)
    bulk, control, address = store.clients.bulk, store.clients.control, store.clients.address
    prefix, place = address.prefix, {"Bucket": address.bucket}
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda number: obstore.put(bulk, f"{prefix}list/{number:05}", b""), range(OBJECTS)))
    key = prefix + "object"
    obstore.put(bulk, key, DATA)

    def pages(_: int) -> int:
        found = control.get_paginator("list_objects_v2").paginate(**place, Prefix=prefix + "list/")
        return sum(len(page["Contents"]) for page in found)

    rows: dict[str, tuple[Work, Work, int]] = {
        "put 2 KiB": (
            lambda n: control.put_object(**place, Key=f"{prefix}put/b{n}", Body=DATA),
            lambda n: obstore.put(bulk, f"{prefix}put/o{n}", DATA, use_multipart=False),
            ROUNDS,
        ),
        "create, if there is none": (
            lambda n: control.put_object(**place, Key=f"{prefix}new/b{n}", Body=DATA, IfNoneMatch="*"),
            lambda n: obstore.put(bulk, f"{prefix}new/o{n}", DATA, mode="create"),
            ROUNDS,
        ),
        "get 2 KiB": (
            lambda n: control.get_object(**place, Key=key)["Body"].read(),
            lambda n: obstore.get(bulk, key).bytes(),
            ROUNDS,
        ),
        "get a range": (
            lambda n: control.get_object(**place, Key=key, Range="bytes=100-199")["Body"].read(),
            lambda n: obstore.get_range(bulk, key, start=100, length=100),
            ROUNDS,
        ),
        "head": (lambda n: control.head_object(**place, Key=key), lambda n: obstore.head(bulk, key), ROUNDS),
        "copy": (
            lambda n: control.copy_object(**place, Key=f"{prefix}copy/b{n}", CopySource={**place, "Key": key}),
            lambda n: obstore.copy(bulk, key, f"{prefix}copy/o{n}"),
            ROUNDS,
        ),
        f"list {OBJECTS:,}": (pages, lambda n: sum(map(len, obstore.list(bulk, prefix + "list/"))), LISTS),
    }
    table = Table("ms", "boto3", "its CPU", "obstore", "its CPU", title=f"{address.place}, {os.cpu_count()} CPUs")
    for name, (boto, obs, rounds) in rows.items():
        table.add_row(name, *compare(boto, obs, rounds))
    ready = "import orchestrator.store as s; c = s.open_store({url!r}).clients; c.{client}"
    figures = [start(ready.format(url=url, client=client)) for client in ("control", "bulk")]
    table.add_row("import and make a client", *(f"{figure:.0f}" for one in figures for figure in one))
    Console().print(table)
    store.delete([meta["path"].removeprefix(prefix) for page in obstore.list(bulk, prefix or None) for meta in page])


if __name__ == "__main__":
    with ExitStack() as stack:
        if not sys.argv[1:]:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(S3Server(folder))
            server.make_bucket(BUCKET)
            keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
            os.environ |= {**keys, "AWS_ENDPOINT_URL": server.endpoint, "MLCTL_HOME": str(folder / "home")}
        main(*sys.argv[1:] or [f"s3://{BUCKET}/clients"])
