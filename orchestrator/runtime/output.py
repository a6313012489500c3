"""Save what a script wrote to train_url, as the job version's immutable output."""

import msgspec

from orchestrator.progress import Reporter
from orchestrator.runtime.task import OUTPUT, Task, Workspace
from orchestrator.store.base import Store
from orchestrator.store.index import forget_sent
from orchestrator.store.manifest import Manifest
from orchestrator.store.records import write
from orchestrator.store.scan import Skipped, scan_all
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
    task: Task, workspace: Workspace, store: Store, output_store: Store, *, complete: bool, reporter: Reporter
) -> Output:
    """Upload the output folder and commit it. Can be run again after a failure: what is there is not sent again.

    Args:
        task: The work order.
        workspace: Its folders on this machine.
        store: Where the job's record is.
        output_store: Where the output goes.
        complete: Whether the script ended well.
        reporter: Told of the progress.
    """
    scan = scan_all(workspace.output)
    manifest = upload_tree(output_store, task.output_prefix, workspace.output, scan=scan, reporter=reporter)
    output = Output(
        store=task.output_store,
        prefix=task.output_prefix,
        complete=complete,
        manifest=manifest,
        skipped=scan.skipped,
    )
    write(store, task.prefix + OUTPUT, output)
    forget_sent(output_store, task.output_prefix)
    return output
