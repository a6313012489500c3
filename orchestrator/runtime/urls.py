"""Data mode `url`: the script reads and writes its bucket by itself, and what it wrote there is its output."""

import hashlib
from typing import TYPE_CHECKING

from orchestrator.runtime.files.places import Place, files_below
from orchestrator.runtime.task import Task
from orchestrator.store.base import ObjectInfo, Store
from orchestrator.store.manifest import Entry, Manifest, manifest_of
from orchestrator.store.parallel import for_each, raise_failures
from orchestrator.store.paths import check_path, parents
from orchestrator.store.scan import Skipped

if TYPE_CHECKING:
    from orchestrator.config import Context

BLOCK = 8 << 20  # bytes of a file that are read at once
THREADS = 4  # each holds a block


def is_url_mode(task: Task) -> bool:
    """Tell whether the script gets URLs."""
    return task.data_mode == "url"


def written_by_script(store: Store, prefix: str) -> tuple[Manifest, list[Skipped]]:
    """Return what is below a prefix, which is read for its hashes, and what of it cannot be kept.

    Args:
        store: Of the output.
        prefix: Ends in `/`.

    Raises:
        MlctlError: It cannot be read.
    """
    found = files_below(Place(store, prefix.rstrip("/"), f"{store.url}/{prefix}"))
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    kept: list[str] = []
    for path in found:
        if reason := _unfit(path, found):
            skipped.append(Skipped(path, reason))
        else:
            kept.append(path)

    def work(path: str) -> None:
        info = found[path]
        digest = _digest(store, prefix + path, info.size)
        entries.append(Entry(path=path, size=info.size, sha256=digest, mtime_ns=int(info.modified * 1e9)))

    raise_failures(for_each(kept, work, name=str, threads=THREADS), f"reading {store.url}/{prefix}")
    return manifest_of(entries), skipped


def service_environment(url: str, context: "Context | str | None", *, keys: bool) -> dict[str, str]:
    """Return the variables by which a script's own libraries reach a bucket.

    Args:
        url: Of the bucket's store.
        context: Whose settings reach it.
        keys: Whether the keys are among them.

    Raises:
        MlctlError: There are no keys, or the settings are wrong.
    """
    from orchestrator.store import open_store
    from orchestrator.store.s3 import S3Store
    from orchestrator.store.s3.environment import key_variables, service_variables

    store = open_store(url, context)
    assert isinstance(store, S3Store)  # a job in this mode has no other
    found = service_variables(store.clients.address)
    return found | key_variables(store.clients.credentials.current()) if keys else found


def _unfit(path: str, found: dict[str, ObjectInfo]) -> str:
    """Return why a file of this path could not be written to a folder; empty if it could."""
    try:
        check_path(path)
    except ValueError as error:
        return str(error)
    return next((f"{above} is a file" for above in parents(path) if above in found), "")


def _digest(store: Store, key: str, size: int) -> str:
    digest = hashlib.sha256()
    for start in range(0, size, BLOCK):
        digest.update(store.get_range(key, start, min(BLOCK, size - start)))
    return digest.hexdigest()
