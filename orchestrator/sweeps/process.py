"""The process that looks after a sweep: `python -m orchestrator.sweeps.process NAME NUMBER CONTEXT HOLDER FD`.

Detached from the terminal. HOLDER is the id of the lease that the starting command took, FD the inherited lock that
shows this machine that somebody looks after the sweep.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.backends.choose import backend_of
from orchestrator.config import get_context, home_dir
from orchestrator.datasets import Datasets
from orchestrator.detached import start_detached
from orchestrator.errors import ConflictError, MlctlError
from orchestrator.jobs.series import Series, plan_again
from orchestrator.locks import take
from orchestrator.progress import SILENT, Reporter
from orchestrator.runtime.patience import complain
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.parallel import as_mlctl_error
from orchestrator.store.records import find, write
from orchestrator.sweeps.lease import Lease, acquire, adopt, folder_of, lock_path
from orchestrator.sweeps.record import STATUS, SweepRecord, SweepState, SweepStatus, get_sweep
from orchestrator.sweeps.runner import Runner

LOG = "sweep.log"
ENDING = 15.0  # seconds that a process may take from its last word to its end
POLL = 0.05  # seconds between two looks whether it has ended


def start(record: SweepRecord, store: Store, context: str, *, author: str, reporter: Reporter) -> None:
    """Have a process look after a sweep from now on.

    Args:
        record: Of the sweep.
        store: Where it is.
        context: Name of the context that it belongs to.
        author: Who starts it.
        reporter: Told of a wait for whoever looked after it before.

    Raises:
        ConflictError: Somebody looks after it.
    """
    folder = folder_of(store, record.prefix)
    with taken(record, store, author=author, reporter=reporter) as (lock, lease):
        before = find(store, record.prefix + STATUS, SweepStatus) or SweepStatus()
        write(store, record.prefix + STATUS, SweepStatus(elapsed=before.elapsed))
        words = [record.name, str(record.number), context, lease.holder, str(lock)]
        try:
            start_detached(
                [sys.executable, "-m", "orchestrator.sweeps.process", *words],
                folder=folder,
                environment=os.environ | {"MLCTL_HOME": str(home_dir())},
                log=folder / LOG,
                inherited=lock,
            )
        except OSError as error:
            raise as_mlctl_error(error, f"cannot start the sweep in {folder}") from error


@contextmanager
def taken(record: SweepRecord, store: Store, *, author: str, reporter: Reporter) -> Iterator[tuple[int, Lease]]:
    """Keep everybody else from looking after a sweep; yield the lock of this machine and the lease.

    Raises:
        ConflictError: Somebody looks after it.
    """
    lock = _take_lock(record, store)
    try:
        yield lock, acquire(store, record.prefix, record.ref, author=author, reporter=reporter)
    finally:
        os.close(lock)


def _take_lock(record: SweepRecord, store: Store) -> int:
    """Take this machine's lock on a sweep; a process that has just written its end is waited for.

    Raises:
        ConflictError: A process of this machine looks after it.
    """
    path = lock_path(store, record.prefix)
    deadline = time.monotonic() + ENDING
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = take(path)
        except OSError as error:
            raise as_mlctl_error(error, f"cannot write {path}") from error
        if lock is not None:
            os.ftruncate(lock, 0)  # the pid of whoever had it before
            return lock
        status = find(store, record.prefix + STATUS, SweepStatus)
        if status is None or not status.state.finished or time.monotonic() > deadline:
            message = f"sweep {record.ref} is looked after already, by a process of this machine"
            raise ConflictError(message, hint=f"watch it: mlctl sweep get {record.name}")
        time.sleep(POLL)


def look_after(name: str, number: int, context_name: str, holder: str) -> None:
    """Look after a sweep to its end, or until somebody else has taken it over."""
    context = get_context(context_name)
    store = open_store(context.store, context.name)
    backend = backend_of(context, SILENT)
    record = get_sweep(store, name, number)
    lease = adopt(store, record.prefix, holder)
    lease.keep_up()
    try:
        plan = plan_again(
            record.template,
            folder_of(store, record.prefix),
            store,
            Datasets(store),
            backend=backend,
            context=context.name,
            reporter=SILENT,
        )
        assert plan.engine
        backend.prepare(plan.engine, plan.spec, plan.requirements, SILENT)
        series = Series(record.template, plan, store, backend)
    except MlctlError as error:
        write(store, record.prefix + STATUS, SweepStatus(state=SweepState.FAILED, message=error.message))
        raise
    else:
        with backend.in_bulk():
            Runner(record, store, backend, series, lease).run()
    finally:
        lease.release()


def main() -> None:
    """Look after the sweep that the command line names."""
    name, number, context, holder, lock = sys.argv[1:]
    os.pwrite(int(lock), str(os.getpid()).encode(), 0)
    try:
        look_after(name, int(number), context, holder)
    except MlctlError as error:
        complain(error)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
