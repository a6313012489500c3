"""Keeps in a local folder what a job version's event files have by now: each byte is fetched once."""

from collections.abc import Callable
from pathlib import Path

from orchestrator.runtime.events.records import DamagedError, whole_records
from orchestrator.runtime.events.sources import Source, is_event_file

BLOCK = 4 << 20  # bytes fetched at once, unless one record has more


class Follower:
    """The event files of one version.

    Args:
        source: Gives where they are now; a job that ends moves them, unchanged, to the store.
        folder: Where they are wanted; TensorBoard shows its name.
        note: Told of damaged files.
    """

    def __init__(self, source: Callable[[], Source], folder: Path, note: Callable[[str], None]) -> None:
        self._source = source
        self._folder = folder
        self._note = note
        self._sizes: dict[str, int] = {}  # of what was fetched
        self._seen: dict[str, int] = {}  # of the files when they were looked at last
        self._damaged: set[str] = set()

    def fetch(self) -> int:
        """Bring what is new, as far as records are whole; return how many bytes that were.

        Raises:
            MlctlError: The store failed; what was fetched stays.
            OSError: The disk is full, or cannot be written.
        """
        source, fetched = self._source(), 0
        for path, size in sorted(source.files().items()):
            if is_event_file(path) and path not in self._damaged and size != self._seen.get(path):
                fetched += self._fetch(source, path, size)
                self._seen[path] = size
        return fetched

    def _fetch(self, source: Source, path: str, size: int) -> int:
        have = begun = self._sizes.get(path, 0)
        if size < have:  # written anew, as by a script that is started again and uses the name again
            have = begun = 0
        wanted = BLOCK
        while have < size:
            data = source.read(path, have, min(wanted, size - have))
            try:
                whole, next_record = whole_records(data)
            except DamagedError:
                self._damaged.add(path)
                self._note(f"{source.place.rstrip('/')}/{path} is damaged behind byte {have}: it is cut there")
                break
            if whole:
                self._write(path, have, data[:whole])
                have += whole
                self._sizes[path] = have
                wanted = BLOCK
            elif wanted < next_record <= size - have:
                wanted = next_record
            else:
                break  # the rest of the record is still to come
        return have - begun

    def _write(self, path: str, start: int, data: bytes) -> None:
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab") as file:
            file.truncate(start)  # what a full disk has left of an earlier attempt
            file.write(data)
