"""Read files out of packs: neighbours with one request, each verified by its SHA-256.

Names and sizes inside a pack are never looked at, so a hostile pack can at most have wrong bytes.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from orchestrator.errors import MlctlError
from orchestrator.store.base import CorruptObjectError, ObjectNotFoundError, Store
from orchestrator.store.manifest import Entry
from orchestrator.store.rate import Rate

READ = 8 << 20  # bytes fetched by one request, roughly
GAP = 128 << 10  # bytes between two files that are fetched along rather than left out
ATTEMPTS = 3  # readings of files whose bytes are not right, for they may have changed on the way
PAUSE = 0.2  # seconds between them
DAMAGED_HINT = "restore the objects from a backup, or push or import the dataset again, as a new version"

Piece = tuple[Entry, memoryview | MlctlError]


class Span(msgspec.Struct, frozen=True):
    """Files that lie near each other in one pack, by offset.

    Attributes:
        key: Of the pack.
        start: Where the first one begins.
        end: Where the last one ends.
        entries: The files.
    """

    key: str
    start: int
    end: int
    entries: list[Entry]


def spans_of(packs: Sequence[str], entries: Iterable[Entry], *, limit: int = READ) -> list[Span]:
    """Return what to fetch at once for some packed files of a manifest that has these packs."""
    spans: list[Span] = []
    group: list[Entry] = []
    number: int | None = None
    start = end = 0

    def close() -> None:
        if group:
            assert number is not None
            spans.append(Span(packs[number], start, end, group))

    for entry in sorted((entry for entry in entries if entry.pack is not None), key=_place):
        behind = entry.offset + entry.size
        if entry.pack != number or entry.offset > end + GAP or max(behind, end) - start > limit:
            close()
            group, number, start, end = [], entry.pack, entry.offset, behind
        group.append(entry)
        end = max(end, behind)
    close()
    return spans


def read_packed(store: Store, packs: Sequence[str], entries: Iterable[Entry], rate: Rate) -> Iterator[Piece]:
    """Yield each packed file with its bytes, or with the error that makes them unknown.

    Args:
        store: Where the packs are.
        packs: Of the manifest.
        entries: The wanted files; none is left out, in order of their places.
        rate: Of the requests.
    """
    wrong = list(entries)
    for attempt in range(1, ATTEMPTS + 1):
        wanted, wrong = wrong, []
        for span in spans_of(packs, wanted, limit=rate.block(READ)):
            length = span.end - span.start
            rate.wait(length)
            try:
                view = memoryview(store.get_range(span.key, span.start, length) if length else b"")
            except MlctlError as error:
                missing = isinstance(error, ObjectNotFoundError)
                told = CorruptObjectError(f"{span.key} is missing", hint=DAMAGED_HINT) if missing else error
                yield from ((entry, told) for entry in span.entries)
                continue
            for entry in span.entries:
                piece = view[entry.offset - span.start :][: entry.size]
                if hashlib.sha256(piece).hexdigest() == entry.sha256:
                    yield entry, piece
                elif attempt < ATTEMPTS:
                    wrong.append(entry)
                else:
                    yield entry, CorruptObjectError(f"its bytes in {span.key} are damaged", hint=DAMAGED_HINT)
        if not wrong:
            return
        time.sleep(PAUSE * attempt)


def _place(entry: Entry) -> tuple[int, int]:
    return entry.pack or 0, entry.offset
