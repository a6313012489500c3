"""Whether a dataset's small files are kept as objects of their own, or in packs."""

from typing import Literal

from orchestrator.datasets.versions import DatasetVersion, Layout
from orchestrator.store.scan import Scan

LayoutChoice = Literal["auto", "plain", "packed"]

# Measured by benchmarks/packs.py: as objects, files of up to 256 KiB take longer than their bytes do, and 500 of them
# take a second more than in packs. Below that, files that can be seen in the bucket are worth more.
SMALL = 256 << 10  # bytes
MANY = 500  # small files


def choose_layout(asked: LayoutChoice, scan: Scan, previous: DatasetVersion | None) -> Layout:
    """Return the layout of the next version.

    Left to us, it is the one that was asked for when the latest version was pushed, else it is packed if there are
    many small files.

    Args:
        asked: By the pusher.
        scan: What is pushed.
        previous: The latest version, if there is one.
    """
    if asked != "auto":
        return asked
    if previous and previous.layout_asked:
        return previous.layout
    small = sum(found.size <= SMALL for found in scan.files)
    return "packed" if small >= MANY else "plain"
