"""Bring back what earlier pods of the same job version have saved."""

from orchestrator.progress import SILENT
from orchestrator.runtime.logread import LogReader
from orchestrator.runtime.output import Output, own_part
from orchestrator.runtime.patience import complain
from orchestrator.runtime.pod.settings import Settings
from orchestrator.runtime.pod.words import restore_words
from orchestrator.runtime.task import Task
from orchestrator.runtime.urls import is_url_mode
from orchestrator.store import open_store
from orchestrator.store.base import CorruptObjectError, Store
from orchestrator.store.parallel import as_mlctl_error
from orchestrator.store.records import find
from orchestrator.store.transfer import download_tree


def restore(settings: Settings, task: Task, store: Store) -> None:
    """Bring back the log, which goes on behind it, and the output, so that the script can go on from its checkpoints.

    With the earlier log in the file that the script appends to, all offsets stay the same: in the file, in the store
    and in the container's log, which begins with it, too.

    Raises:
        MlctlError: The store failed, or the volume is full.
    """
    volume, worker = settings.volume, settings.worker
    try:
        restore_words(settings, store)
    except OSError as error:
        raise as_mlctl_error(error, f"cannot write {volume.folder}") from error
    if not volume.log.stat().st_size:
        log = LogReader(store, task.prefix + worker.log, None)
        partial = volume.log.with_suffix(".part")
        try:
            with partial.open("wb") as file:
                for block in log.read(0, log.size()):
                    file.write(block)
            partial.replace(volume.log)
        except OSError as error:
            raise as_mlctl_error(error, f"cannot write {partial}") from error
    if is_url_mode(task):  # what it wrote is where it wrote it
        return
    if output := find(store, task.prefix + worker.output, Output):
        saved = open_store(output.store, settings.context)
        try:
            download_tree(saved, output.prefix, own_part(output, worker), volume.output, reporter=SILENT)
        except CorruptObjectError as error:  # a pod was killed while it saved; the other files are there
            complain(error)
