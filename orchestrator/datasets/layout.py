"""Whether a dataset's small files are kept as objects of their own, or in packs."""

from typing import Literal

from orchestrator.datasets.versions import DatasetVersion, Layout
from orchestrator.store.pack import PACKED
from orchestrator.store.scan import Scan

LayoutChoice = Literal["auto", "plain", "packed"]

MANY = 500  # small files, from which on packs are worth it


def choose_layout(asked: LayoutChoice, scan: Scan, previous: DatasetVersion | None) -> Layout:
    """Return the layout of the next version.

    Left to us, it is the one that was asked for when the latest version was pushed; else it is packed if there are
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
    small = sum(found.size <= PACKED for found in scan.files)
    return "packed" if small >= MANY else "plain"
