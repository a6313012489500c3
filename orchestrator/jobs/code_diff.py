"""The difference between the code of two versions, as `diff -u` shows it, read from their archives."""

import difflib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import NotFoundError
from orchestrator.jobs.record import CodeRef, JobRecord
from orchestrator.store.archive import extract_code
from orchestrator.store.base import ObjectNotFoundError, Store

LARGEST = 1 << 20  # bytes of a file whose lines are compared
NO_NEWLINE = "\\ No newline at end of file\n"


def code_diffs(store: Store, records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield in lines how the code of each version differs from that of the first.

    Raises:
        NotFoundError: An archive is gone.
        StoreError: One is damaged, or cannot be unpacked.
    """
    first, *others = records
    with _code_of(store, first) as one:
        for record in others:
            with _code_of(store, record) as other:
                yield from _diff(one, other)


class _Code:
    """The unpacked code of one version.

    Args:
        name: What it is called in a diff.
        ref: What the record says of it; None if it has none.
        folder: Where it is.
    """

    def __init__(self, name: str, ref: CodeRef | None, folder: Path) -> None:
        self.name = name
        self.files = ref.files if ref else {}
        self._folder = folder

    def lines(self, path: str) -> list[str] | None:
        """Return the lines of a text file; None of what is none."""
        if path not in self.files:
            return []
        file = self._folder / path
        if file.is_symlink():
            return [f"-> {file.readlink()}\n"]
        if file.is_dir() or file.stat().st_size > LARGEST:
            return [] if file.is_dir() else None
        try:
            text = file.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            return None
        return None if "\0" in text else text.splitlines(keepends=True)


@contextmanager
def _code_of(store: Store, record: JobRecord) -> Iterator[_Code]:
    name = f"{record.name}/{record.version}"
    with tempfile.TemporaryDirectory(prefix="mlctl-diff-") as scratch:
        folder = Path(scratch, "code")
        if record.code:
            try:
                extract_code(store, record.code.key, folder)
            except ObjectNotFoundError as error:
                hint = "the files that differ are still known: leave --diff out"
                raise NotFoundError(f"the code of {name} is not in the store any more", hint=hint) from error
        yield _Code(name, record.code, folder)


def _diff(one: _Code, other: _Code) -> Iterator[str]:
    for path in sorted(one.files.keys() | other.files.keys()):
        if one.files.get(path) == other.files.get(path):
            continue
        before, after = one.lines(path), other.lines(path)
        old = f"{one.name}/{path}" if path in one.files else "/dev/null"
        new = f"{other.name}/{path}" if path in other.files else "/dev/null"
        if before is None or after is None:
            yield f"Binary or large files {old} and {new} differ\n"
            continue
        for line in difflib.unified_diff(before, after, old, new):
            yield line if line.endswith("\n") else f"{line}\n"
            if not line.endswith("\n"):
                yield NO_NEWLINE
