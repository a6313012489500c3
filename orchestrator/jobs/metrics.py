"""The metrics of a job version, as they are in the store."""

from collections.abc import Sequence

from orchestrator.errors import NotFoundError
from orchestrator.jobs.record import JobRecord, version_prefix
from orchestrator.metrics.table import Series, Table
from orchestrator.runtime.worker import Worker
from orchestrator.specs.names import nearest
from orchestrator.store.base import Store
from orchestrator.store.records import find


def table_of(store: Store, record: JobRecord, worker: int = 0) -> Table:
    """Return what a version has measured so far; without any series if it has measured nothing.

    Args:
        store: Where it is.
        record: Of the version.
        worker: Of a job with several, which one's use of its machine; the first one's script is the job's.
    """
    key = version_prefix(record.name, record.number) + Worker(index=worker).metrics
    return find(store, key, Table) or Table()


def pick_metrics(ref: str, table: Table, wanted: Sequence[str]) -> dict[str, Series]:
    """Return the series of these names.

    Raises:
        NotFoundError: One was never seen; it names those that were.
    """
    named = table.named()
    for name in wanted:
        if name not in named:
            meant = nearest(name, named)
            seen = ", ".join(named) or "none at all"
            message = f"{ref} has no metric `{name}`" + (f"; did you mean `{meant}`?" if meant else "")
            raise NotFoundError(message, hint=f"it has measured: {seen}")
    return {name: named[name] for name in wanted}
