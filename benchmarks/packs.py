"""What packing gains and costs: layouts, sizes of packs, memory.

    python benchmarks/packs.py                    # in a folder store
    python benchmarks/packs.py s3://bucket/bench  # with the keys and AWS_ENDPOINT_URL in the environment

Seconds of wall time and MiB of peak memory, each in a process of its own whose start does not count;
medians of `ROUNDS`. Data and folders are below TMPDIR.
"""

import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.datasets import Datasets
from orchestrator.datasets.layout import LayoutChoice
from orchestrator.store import open_store, pack
from orchestrator.store.base import list_objects
from orchestrator.store.manifest import PACKED_LIMIT

ROUNDS = 3
KIB, MIB = 1 << 10, 1 << 20
LAYOUTS = [
    (100, 2 * KIB), (250, 2 * KIB), (500, 2 * KIB), (1000, 2 * KIB), (10_000, 2 * KIB), (1000, 64 * KIB),
    (500, 256 * KIB), (200, MIB), (50, 4 * MIB),
]  # fmt: skip
PACKS = [4 * MIB, 8 * MIB, 16 * MIB, 32 * MIB, 64 * MIB]
AGED = 1_000_000_000  # seconds since the epoch; files at rest need not be read again
Figures = list[float]


def make(folder: Path, count: int, size: int) -> Path:
    """Write files of random bytes, a hundred in a folder, whose sizes differ by up to half."""
    source = random.Random(1)
    folder.mkdir(parents=True)
    for number in range(count):
        path = folder / f"{number // 100:04}" / f"{number:06}.bin"
        if number % 100 == 0:
            path.parent.mkdir()
        left = size * 3 // 4 + source.randrange(size // 2)
        with path.open("wb") as file:
            while left:
                left -= file.write(source.randbytes(min(left, MIB)))
        os.utime(path, (AGED, AGED))
    return folder


def child(data: Path, url: str, layout: LayoutChoice, pack_size: int) -> None:
    """Push, push again, push with 1 % changed, pull; write seconds of each and the peak memory."""
    pack.PACK = pack_size
    pack.PACKED = PACKED_LIMIT  # files of more than a MiB are not packed; here it is to be seen why
    store = open_store(url)
    store.check_writable()
    datasets = Datasets(store)
    figures: Figures = []

    def timed(work: object) -> None:
        begun = time.perf_counter()
        assert callable(work)
        work()
        figures.append(time.perf_counter() - begun)

    timed(lambda: datasets.push(data, name="bench", layout=layout))
    timed(lambda: datasets.push(data, name="bench"))
    files = sorted(path for path in data.rglob("*") if path.is_file())
    for path in files[:: max(len(files) // max(len(files) // 100, 1), 1)]:
        with path.open("r+b") as file:
            file.write(os.urandom(16))
        os.utime(path, (AGED, AGED + len(figures)))
    timed(lambda: datasets.push(data, name="bench", layout=layout))
    timed(lambda: datasets.pull("bench", None, data.parent / "back"))
    figures.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB)
    store.delete([item.key for item in list_objects(store, "")])
    print(*figures)


def measure(scratch: Path, url: str, count: int, size: int, layout: LayoutChoice, pack_size: int) -> Figures:
    """Return the medians of what `child` writes."""
    rounds: list[Figures] = []
    for _ in range(ROUNDS):
        place = Path(tempfile.mkdtemp(dir=scratch))
        data = make(place / "data", count, size)
        command = [sys.executable, __file__, "--child", data, f"{url}/{place.name}", layout, f"{pack_size}"]
        home = {"MLCTL_HOME": str(place / "home")}
        done = subprocess.run(list(map(str, command)), env={**os.environ, **home}, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        rounds.append([float(figure) for figure in done.stdout.split()])
        shutil.rmtree(place)
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def row(table: Table, figures: Figures, *what: str) -> None:
    """Add a line to a table."""
    table.add_row(*what, *(f"{figure:.2f}" for figure in figures[:-1]), f"{figures[-1]:.0f}")


def main() -> None:
    """Measure everything and print the tables."""
    if sys.argv[1:2] == ["--child"]:
        data, url, layout, pack_size = sys.argv[2:]
        return child(Path(data), url, layout, int(pack_size))  # type: ignore[arg-type]
    console = Console(width=100)
    columns = ("push", "unchanged", "1 % changed", "pull", "MiB")
    with tempfile.TemporaryDirectory(prefix="mlctl-bench-") as name:
        scratch = Path(name)
        url = sys.argv[1] if len(sys.argv) > 1 else (scratch / "store").as_uri()
        layouts = Table("files", "KiB each", "layout", *columns)
        for count, size in LAYOUTS:
            for layout in ("plain", "packed"):
                row(
                    layouts, measure(scratch, url, count, size, layout, pack.PACK), f"{count}", f"{size // KIB}", layout
                )
        console.print(layouts)
        sizes = Table("20,000 files of 8 KiB, packs of MiB", *columns)
        for size in PACKS:
            row(sizes, measure(scratch, url, 20_000, 8 * KIB, "packed", size), f"{size // MIB}")
        console.print(sizes)
        many = Table("", *columns)
        row(many, measure(scratch, url, 100_000, 2 * KIB, "packed", pack.PACK), "100,000 files of 2 KiB, packed")
        row(many, measure(scratch, url, 1, 3072 * MIB, "packed", pack.PACK), "one file of 3 GiB")
        console.print(many)


if __name__ == "__main__":
    main()
