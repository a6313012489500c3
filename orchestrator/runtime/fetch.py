"""Bring a job's code and data to where its script will run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.errors import MlctlError, StoreError
from orchestrator.progress import Reporter
from orchestrator.runtime.command import named_folders
from orchestrator.runtime.guests import bring_guests
from orchestrator.runtime.patience import keep_trying
from orchestrator.runtime.status import Reason
from orchestrator.runtime.task import JOB, Task, Workspace
from orchestrator.store.archive import extract_code
from orchestrator.store.base import CorruptObjectError, ObjectNotFoundError, Store
from orchestrator.store.manifest import Manifest
from orchestrator.store.records import read
from orchestrator.store.transfer import download_tree

PATIENCE = 900.0  # seconds that a store which is away is waited for before the start


class FetchError(MlctlError):
    """An input of the job could not be fetched.

    Attributes:
        reason: Goes into the job's status.
        passing: Whether the store is away, and may come back.
    """

    def __init__(self, reason: Reason, cause: MlctlError, *, passing: bool = False) -> None:
        super().__init__(cause.message, hint=cause.hint or reason.hint)
        self.reason = reason
        self.passing = passing


def fetch_inputs(task: Task, workspace: Workspace, store: Store, *, reporter: Reporter) -> None:
    """Make the workspace, bring guests and code, download the data (in data mode `local`); what is there already stays.

    Raises:
        FetchError: Something is missing, damaged or does not fit on the disk.
    """
    fetch_program(task, workspace, store)
    if task.data_manifest and task.data_mode == "local":
        with fetching(task, store, missing=Reason.DATA_MISSING):
            manifest = read(store, task.data_manifest, Manifest)
            download_tree(store, task.data_prefix, manifest, workspace.data, reporter=reporter)


def fetch_program(task: Task, workspace: Workspace, store: Store) -> None:
    """Do as much of `fetch_inputs` as is not about the data."""
    workspace.make()
    for folder in named_folders(task, workspace):
        folder.mkdir(parents=True, exist_ok=True)
    with fetching(task, store, missing=Reason.START_FAILED):
        bring_guests(task, workspace)
    code = workspace.job_dir / task.code_name
    if not code.exists():  # it appears whole, so an earlier attempt has brought it
        with fetching(task, store, missing=Reason.CODE_MISSING):
            extract_code(store, task.code_key, code)


def fetch_patiently(attempt: Callable[[], None], *, waiting: Callable[[FetchError], None]) -> None:
    """Call `attempt` until the store is there.

    Args:
        attempt: Fetches everything, as far as it is not there already. Raises FetchError.
        waiting: Told why it is called again.

    Raises:
        FetchError: The last one, if it does not pass, or if the store was away for too long.
    """
    failures: list[FetchError] = []

    def tried() -> bool:
        try:
            attempt()
        except FetchError as error:
            if not error.passing:
                raise
            waiting(error)
            failures.append(error)
            return False
        return True

    if not keep_trying(tried, patience=PATIENCE):
        raise failures[-1]


@contextmanager
def fetching(task: Task, store: Store, *, missing: Reason) -> Iterator[None]:
    """Turn what goes wrong into a FetchError; `missing` is its reason where an object is not there."""
    try:
        yield
    except CorruptObjectError as error:
        raise FetchError(Reason.DATA_DAMAGED, error, passing=not _is_there(store, task)) from error
    except ObjectNotFoundError as error:
        raise FetchError(missing, error, passing=not _is_there(store, task)) from error
    except MlctlError as error:
        full = "No space left" in error.message
        # What is wrong with a file here, or with the rights there, does not pass.
        away = type(error) is StoreError and not full
        raise FetchError(Reason.DISK_FULL if full else Reason.START_FAILED, error, passing=away) from error


def _is_there(store: Store, task: Task) -> bool:
    """Tell whether the store has the job's record: where not even that is, a folder may not be mounted now."""
    try:
        return store.head(task.prefix + JOB) is not None
    except MlctlError:
        return False
