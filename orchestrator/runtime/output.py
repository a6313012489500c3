"""Save what a script wrote to train_url, as the job version's immutable output."""

import msgspec

from orchestrator.progress import Reporter
from orchestrator.runtime.task import Task, Workspace
from orchestrator.runtime.urls import is_url_mode, written_by_script
from orchestrator.runtime.worker import ALONE, Worker
from orchestrator.store.base import Store
from orchestrator.store.index import forget_sent
from orchestrator.store.manifest import Manifest, manifest_of
from orchestrator.store.records import find, write
from orchestrator.store.scan import Scan, Skipped, scan_all
from orchestrator.store.transfer import upload_tree


class Output(msgspec.Struct, kw_only=True):
    """The record `output.json`, written last: without it the version has no output.

    Attributes:
        store: URL of the store that holds the files.
        prefix: Of the files in it.
        complete: False if the job failed or was cancelled: these are the files it had written by then.
        manifest: Paths, sizes and hashes.
        skipped: What the script wrote that is not a file that can be kept, and why.
    """

    store: str
    prefix: str
    complete: bool
    manifest: Manifest
    skipped: list[Skipped] = []


def save_output(
    task: Task,
    workspace: Workspace,
    store: Store,
    output_store: Store,
    *,
    complete: bool,
    reporter: Reporter,
    worker: Worker = ALONE,
    scan: Scan | None = None,
) -> Output:
    """Upload the output folder and commit it. Can be run again after a failure: what is there is not sent again.

    What an earlier call has saved and is not in the folder any more is deleted in the end. Of a script that gets URLs
    the output is what it wrote there itself: nothing is uploaded, and nothing deleted.

    Args:
        task: The work order.
        workspace: Its folders on this machine.
        store: Where the job's record is.
        output_store: Where the output goes.
        complete: Whether the script ended well.
        reporter: Told of the progress.
        scan: What the folder holds, of a script that still runs: what was sent is remembered for the next call.
        worker: Whose output it is. The first one's record has what the others have saved, too.
    """
    prefix, key = task.output_prefix + worker.folder, task.prefix + worker.output
    if is_url_mode(task):
        manifest, skipped = written_by_script(output_store, prefix)
        output = Output(store=task.output_store, prefix=prefix, complete=complete, manifest=manifest, skipped=skipped)
        write(store, key, output)
        return output
    found = scan or scan_all(workspace.output)
    before = find(store, key, Output)
    manifest = upload_tree(output_store, prefix, workspace.output, scan=found, reporter=reporter)
    paths = {entry.path for entry in manifest.entries}
    if worker.first and worker.count > 1:
        manifest = _with_others(manifest, task, worker, store)
    output = Output(
        store=task.output_store,
        prefix=prefix,
        complete=complete,
        manifest=manifest,
        skipped=found.skipped,
    )
    write(store, key, output)
    if before:
        stale = [entry.path for entry in own_part(before, worker).entries if entry.path not in paths]
        output_store.delete(prefix + path for path in stale)
    if scan is None:
        forget_sent(output_store, prefix)
    return output


def own_part(output: Output, worker: Worker) -> Manifest:
    """Return the files of a worker's record that are its own."""
    folders = tuple(other.folder for other in worker.others()) if worker.first else ()
    return manifest_of(entry for entry in output.manifest.entries if not entry.path.startswith(folders))


def _with_others(manifest: Manifest, task: Task, worker: Worker, store: Store) -> Manifest:
    """Add what the other workers have saved by now, in folders of theirs."""
    entries = {entry.path: entry for entry in manifest.entries}
    for other in worker.others():
        if output := find(store, task.prefix + other.output, Output):
            for entry in output.manifest.entries:
                path = other.folder + entry.path
                entries[path] = msgspec.structs.replace(entry, path=path)
    return manifest_of(entries.values())
