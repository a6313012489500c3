"""What fetch and sync say: to the kubelet by stderr, and into the volume, from where it goes to the store as a log."""

import contextlib
import io
import sys
import time
from pathlib import Path

from orchestrator.runtime.arrivals import Arrivals
from orchestrator.runtime.logread import LogReader
from orchestrator.runtime.logship import LogShipper
from orchestrator.runtime.pod.settings import Settings
from orchestrator.runtime.worker import Source, log_prefix
from orchestrator.store.base import Store

SPEAKERS: tuple[Source, ...] = ("fetch", "sync")


class Words(io.TextIOBase):
    """Stderr, written down.

    Args:
        path: Of the file, which another container of the pod may have begun.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stderr = sys.stderr

    def write(self, text: str) -> int:
        with (
            contextlib.suppress(OSError),  # a full disk takes no notes
            self._path.open("a", encoding="utf-8", errors="backslashreplace") as file,
        ):
            file.write(text)
        return self._stderr.write(text)

    def flush(self) -> None:
        self._stderr.flush()


class WordsShipper:
    """Brings what both say into the store; as a LogShipper, for both.

    Args:
        settings: Of the pod.
        store: Of the job's record.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        files = [(_prefix(settings, speaker), settings.volume.words(speaker)) for speaker in SPEAKERS]
        self._shippers = [LogShipper(store, prefix, path, Arrivals(path, time.time)) for prefix, path in files]

    def poll(self) -> bool:
        """Take what was said since the last call; tell whether there was anything."""
        came = [shipper.poll() for shipper in self._shippers]
        return any(came)

    def send(self) -> None:
        """Write it to the store."""
        for shipper in self._shippers:
            shipper.send()


def ship_words(settings: Settings, store: Store) -> None:
    """Write to the store what both have said by now."""
    shipper = WordsShipper(settings, store)
    shipper.poll()
    shipper.send()


def restore_words(settings: Settings, store: Store) -> None:
    """Put what earlier pods of the job have said before what this one says, so that all offsets stay the same."""
    for speaker in SPEAKERS:
        log, path = LogReader(store, _prefix(settings, speaker), None), settings.volume.words(speaker)
        earlier, own = b"".join(log.read(0, log.size())), path.read_bytes() if path.exists() else b""
        if not own.startswith(earlier):
            path.write_bytes(earlier + own)


def _prefix(settings: Settings, speaker: Source) -> str:
    return settings.prefix + log_prefix(speaker, settings.worker.index)
