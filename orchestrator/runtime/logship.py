"""Bring a growing log file into the store while the job runs.

The script's bytes go to the store unchanged, in chunks named after the offset of their first byte:
`logs/worker-0/000000000000.log`. The last chunk is rewritten as it grows, up to CHUNK bytes, then
the next begins. Beside each chunk, `.times` says when bytes arrived: lines of `<offset> <seconds
since the epoch>`. What has been sent is read back from the store, so that any process can go on
after a crash.
"""

from pathlib import Path

from orchestrator.runtime.arrivals import Arrivals
from orchestrator.store.base import ObjectNotFoundError, Store, list_objects

CHUNK = 1 << 20  # bytes
DIGITS = 12  # of an offset in a key


def chunk_key(prefix: str, offset: int) -> str:
    """Return the key of the chunk that begins at `offset`."""
    return f"{prefix}{offset:0{DIGITS}d}.log"


def first_chunk(store: Store, prefix: str) -> bytes:
    """Return the beginning of a log, nothing if there is none yet."""
    try:
        return store.get(chunk_key(prefix, 0)).data
    except ObjectNotFoundError:
        return b""


def times_key(prefix: str, offset: int) -> str:
    """Return the key of that chunk's arrival times."""
    return f"{prefix}{offset:0{DIGITS}d}.times"


class LogShipper:
    """Copies what is appended to a file into the store; one per log, used by one process at a time.

    Args:
        store: Where to.
        prefix: Of the chunks.
        path: Of the file, which need not exist yet.
        arrivals: When its bytes came.
    """

    def __init__(self, store: Store, prefix: str, path: Path, arrivals: Arrivals) -> None:
        self._store = store
        self._prefix = prefix
        self._path = path
        self._arrivals = arrivals
        self._start = 0  # offset of the chunk being filled
        self._chunk = b""
        self._times = b""
        self._unsent = False
        self._resumed = False

    @property
    def read(self) -> int:
        """Number of bytes taken from the file so far."""
        return self._start + len(self._chunk)

    def poll(self) -> bool:
        """Take what was appended since the last call; tell whether there was anything.

        Never holds more than a chunk in memory: a full chunk is sent at once, the rest by `send`.
        Raises what the store raises, and then takes nothing more until it is back; call it again.
        """
        if not self._resumed:
            self._resume()
        size = self._arrivals.note()
        if size <= self.read:
            return False
        with self._path.open("rb") as file:
            file.seek(self.read)
            while True:
                if len(self._chunk) == CHUNK:
                    self.send()
                    self._arrivals.forget(self._start)  # a later shipper may begin with the last chunk anew
                    self._start, self._chunk, self._times = self.read, b"", b""
                data = file.read(min(CHUNK - len(self._chunk), size - self.read))
                if not data:
                    return True
                self._times += self._arrivals.lines(self.read, self.read + len(data))
                self._chunk += data
                self._unsent = True

    def send(self) -> None:
        """Write what was taken and not yet sent to the store. Raises what the store raises; call it again."""
        if self._unsent:
            # Times first: a reader that sees bytes always finds their time.
            self._store.put(times_key(self._prefix, self._start), self._times)
            self._store.put(chunk_key(self._prefix, self._start), self._chunk)
            self._unsent = False

    def mend(self) -> None:
        """Write every chunk anew that is missing in the store or has not the right length there.

        A store that did not answer for a while may carry out a write long after it was given up and repeated, and so
        put an earlier state of a chunk in the place of a later one.
        """
        sizes = {item.key: item.size for item in list_objects(self._store, self._prefix)}
        for start in range(0, self.read, CHUNK):
            length = min(CHUNK, self.read - start)
            if sizes.get(chunk_key(self._prefix, start)) != length and self._path.exists():
                with self._path.open("rb") as file:
                    file.seek(start)
                    data = file.read(length)
                if times_key(self._prefix, start) not in sizes:
                    self._store.put(times_key(self._prefix, start), self._arrivals.lines(start, start + length))
                self._store.put(chunk_key(self._prefix, start), data)

    def _resume(self) -> None:
        """Go on where an earlier process stopped."""
        chunks = [item for item in list_objects(self._store, self._prefix) if item.key.endswith(".log")]
        if chunks:
            self._start = int(chunks[-1].key.removeprefix(self._prefix).removesuffix(".log"))
            self._chunk = self._store.get(chunks[-1].key).data
            try:
                self._times = self._store.get(times_key(self._prefix, self._start)).data
            except ObjectNotFoundError:
                self._times = self._arrivals.lines(self._start, self._start + len(self._chunk))
        self._resumed = True
