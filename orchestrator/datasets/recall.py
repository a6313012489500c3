"""What this machine remembers of a folder that is a dataset's latest version: an unchanged one is known by its stat.

The manifest of a version need not be fetched for that, nor the hash of each file be looked up.
"""

from contextlib import suppress
from pathlib import Path

import msgspec

from orchestrator.datasets.versions import DAMAGE, MANIFEST, DatasetVersion, version_prefix
from orchestrator.files import write_whole
from orchestrator.store.base import Store
from orchestrator.store.index import notes_path


class Pushed(msgspec.Struct, frozen=True):
    """A state of a folder.

    Attributes:
        states: SHA-256 of names, sizes, times and inodes of all that is in it.
        tree: Hash of the version that has its content.
        manifest: ETag of the version's manifest.
    """

    states: str
    tree: str
    manifest: str


class Recall:
    """The memory of the last push of a folder to a dataset.

    Args:
        store: Where the dataset is.
        name: Of the dataset.
        folder: Absolute.
        states: Of the folder as it is now, see `Summary`.
    """

    def __init__(self, store: Store, name: str, folder: Path, states: str) -> None:
        self._store = store
        self._states = states
        self._path = notes_path(f"{store.identity}/{name}:{folder}", ".pushed")

    def knows(self, version: DatasetVersion) -> bool:
        """Return whether the folder has the content of a version, which is whole as far as is known.

        If not, that means nothing.
        """
        with suppress(OSError, msgspec.DecodeError):
            known = msgspec.json.decode(self._path.read_bytes(), type=Pushed)
            if (known.states, known.tree) == (self._states, version.sha256):
                return known.manifest == self._manifest(version)
        return False

    def note(self, version: DatasetVersion) -> None:
        """Remember that the folder has a version's content; nobody may have changed it since it was scanned."""
        if manifest := self._manifest(version):
            write_whole(self._path, msgspec.json.encode(Pushed(self._states, version.sha256, manifest)))

    def _manifest(self, version: DatasetVersion) -> str:
        """Return the ETag of a version's manifest; nothing if it is gone, or the version is known to be damaged."""
        prefix = version_prefix(version.name, version.number)
        here = {
            item.key.removeprefix(prefix): item.etag for item in self._store.list_page(prefix, delimiter="/").objects
        }
        return "" if DAMAGE in here else here.get(MANIFEST, "")
