"""TensorBoard on some versions of a job: finds their event files, fetches what is new, as long as it is open."""

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.config import home_dir
from orchestrator.errors import MlctlError, NotFoundError, StoreError
from orchestrator.jobs.jobs import Jobs
from orchestrator.jobs.view import JobView
from orchestrator.locks import is_held, take
from orchestrator.progress import Reporter
from orchestrator.runtime.events.follow import Follower
from orchestrator.runtime.events.sources import FolderSource, Source, StoreSource, is_event_file
from orchestrator.store import open_store
from orchestrator.store.parallel import as_mlctl_error
from orchestrator.tensorboard.environment import board_python
from orchestrator.tensorboard.server import Server, choose_port

FIRST_POLL = 1.0  # seconds between two looks for new events; grows while nothing comes
LONGEST_POLL = 10.0  # seconds
ABANDONED = 60.0  # seconds after which a folder that nobody holds is nobody's
SHOWN = 5  # files of a version without events that its error names


class Board:
    """An open TensorBoard.

    Args:
        jobs: Whose versions they are.
        views: The versions.
        server: That shows them.
        followers: Of the versions.
        reporter: Told of what goes wrong meanwhile.

    Attributes:
        url: Where a browser finds it.
    """

    def __init__(
        self, jobs: Jobs, views: Sequence[JobView], server: Server, followers: Sequence[Follower], reporter: Reporter
    ) -> None:
        self.url = server.url
        self._jobs = jobs
        self._server = server
        self._following = list(zip(views, followers, strict=True))
        self._reporter = reporter

    def serve(self, seconds: float) -> None:
        """Return after so many seconds; fetches new events meanwhile.

        Raises:
            MlctlError: TensorBoard has ended by itself.
        """
        deadline, pause, well = time.monotonic() + seconds, FIRST_POLL, True
        while (left := deadline - time.monotonic()) > 0:
            try:
                pause = FIRST_POLL if self._fetch() else min(1.2 * pause, LONGEST_POLL)
                well = True
            except MlctlError as error:
                if well:
                    self._reporter.note(f"new events cannot be fetched, it is tried again: {error.message}")
                pause, well = LONGEST_POLL, False
            self._server.check(min(pause, left))

    def _fetch(self) -> int:
        fetched = 0
        for view, follower in list(self._following):
            # Asked before the files are looked at: what was written until the end is then surely there.
            now = view if view.status.state.finished else self._jobs.get(view.name, view.version)
            fetched += _fetch(follower)
            if now.status.state.finished:
                self._following.remove((view, follower))
        return fetched


@contextmanager
def open_board(
    jobs: Jobs, name: str, versions: Sequence[str], *, port: int | None, context: str, reporter: Reporter
) -> Iterator[Board]:
    """Start TensorBoard on versions of a job, and end it when the context is left.

    Args:
        jobs: Of a store.
        name: Of the job.
        versions: Each becomes a run of that name, as in `V0003`.
        port: As in `choose_port`.
        context: Name of the context that stores are reached by.
        reporter: Told of what takes time.

    Raises:
        NotFoundError: There is no such version, or one that has ended has no events.
        ConflictError: The port is taken.
        MlctlError: TensorBoard cannot be installed or started.
    """
    views = {view.version: view for view in (jobs.get(name, version) for version in versions)}
    for view in views.values():
        require_events(jobs, view, context, reporter)
    port = choose_port(port)
    python = board_python(reporter)
    with _scratch() as (scratch, lock):
        runs = scratch / "runs"
        followers = [
            Follower(lambda view=view: _source(jobs, view, context), runs / view.version, reporter.note)  # type: ignore[misc]
            for view in views.values()
        ]
        runs.mkdir()
        server = Server(python, runs, scratch=scratch, port=port, title=f"{name} {', '.join(views)}", lock=lock)
        try:
            for follower in followers:
                _fetch(follower)
            server.await_start()
            yield Board(jobs, list(views.values()), server, followers, reporter)
        finally:
            server.stop()


def open_boards() -> list[float]:
    """Return since when each TensorBoard that this machine shows now is open, in seconds since the epoch."""
    locks = (home_dir() / "tensorboard").glob("*/lock")
    return sorted(lock.stat().st_mtime for lock in locks if is_held(lock))


def _source(jobs: Jobs, view: JobView, context: str) -> Source:
    if folder := jobs.live_output(view):
        return FolderSource(folder)
    task = view.record.task
    assert task is not None
    return StoreSource(open_store(task.output_store, context), task.output_prefix)


def require_events(jobs: Jobs, view: JobView, context: str, reporter: Reporter) -> None:
    """Note that a version has no event files yet; raise NotFoundError if it has ended and will never have any."""
    source = _source(jobs, view, context)
    files = source.files()
    if any(map(is_event_file, files)):
        return
    if not view.status.state.finished:
        reporter.note(f"{view.ref} is {view.status.state} and has no event files yet: it is looked for them again")
        return
    names = ", ".join(sorted(files)[:SHOWN])
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    there = f"there is {names}{more}" if files else "there is nothing"
    hint = "have the script write summaries into train_url, as torch.utils.tensorboard.SummaryWriter(args.train_url)"
    raise NotFoundError(f"{view.ref} has no event files (*tfevents*) in {source.place}: {there}", hint=hint)


def _fetch(follower: Follower) -> int:
    try:
        return follower.fetch()
    except OSError as error:
        raise as_mlctl_error(error, "cannot write event files") from error


@contextmanager
def _scratch() -> Iterator[tuple[Path, int]]:
    """Give an empty folder, and the lock that says that it is in use; removes those that killed commands left."""
    root = home_dir() / "tensorboard"
    try:
        root.mkdir(parents=True, exist_ok=True)
        for old in root.iterdir():
            if time.time() - old.stat().st_mtime > ABANDONED and not is_held(old / "lock"):
                shutil.rmtree(old, ignore_errors=True)
        folder = root / secrets.token_hex(8)
        folder.mkdir()
        lock = take(folder / "lock")
    except OSError as error:
        raise as_mlctl_error(error, f"cannot write {root}") from error
    if lock is None:
        raise StoreError(f"{folder} is in use")
    try:
        yield folder, lock
    finally:
        with suppress(OSError):
            os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)
