"""Bring a job's code and data to where its script will run."""

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.errors import MlctlError
from orchestrator.progress import Reporter
from orchestrator.runtime.status import Reason
from orchestrator.runtime.task import Task, Workspace
from orchestrator.store.archive import extract_code
from orchestrator.store.base import CorruptObjectError, ObjectNotFoundError, Store
from orchestrator.store.manifest import Manifest
from orchestrator.store.records import read
from orchestrator.store.transfer import download_tree


class FetchError(MlctlError):
    """An input of the job could not be fetched; `reason` goes into its status."""

    def __init__(self, reason: Reason, cause: MlctlError) -> None:
        super().__init__(cause.message, hint=cause.hint or reason.hint)
        self.reason = reason


def fetch_inputs(task: Task, workspace: Workspace, store: Store, *, reporter: Reporter) -> None:
    """Make the workspace, unpack the code, download the data (in data mode `local`).

    Raises:
        FetchError: Something is missing, damaged or does not fit on the disk.
    """
    workspace.make()
    with _reasons(missing=Reason.CODE_MISSING):
        extract_code(store, task.code_key, workspace.job_dir / task.code_name)
    if task.data_manifest and task.data_mode == "local":
        with _reasons(missing=Reason.DATA_MISSING):
            manifest = read(store, task.data_manifest, Manifest)
            download_tree(store, task.data_prefix, manifest, workspace.data, reporter=reporter)


@contextmanager
def _reasons(*, missing: Reason) -> Iterator[None]:
    try:
        yield
    except CorruptObjectError as error:
        raise FetchError(Reason.DATA_DAMAGED, error) from error
    except ObjectNotFoundError as error:
        raise FetchError(missing, error) from error
    except MlctlError as error:
        full = "No space left" in error.message
        raise FetchError(Reason.DISK_FULL if full else Reason.START_FAILED, error) from error
