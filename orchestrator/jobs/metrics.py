"""The metrics of a job version, as they are in the store."""

from collections.abc import Sequence

from orchestrator.errors import NotFoundError
from orchestrator.jobs.record import JobRecord, version_prefix
from orchestrator.metrics.table import Series, Table
from orchestrator.runtime.worker import Worker
from orchestrator.specs.names import nearest
from orchestrator.store.base import Store
from orchestrator.store.records import find

SHOWN = 20  # metrics that are named


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
    """Return the series of these names. Raises NotFoundError, see `unseen`."""
    named = table.named()
    for name in wanted:
        if name not in named:
            raise unseen(name, ref, [table])
    return {name: named[name] for name in wanted}


def unseen(name: str, where: str, tables: Sequence[Table]) -> NotFoundError:
    """Return the error that says of a metric that there is none, and which there are.

    Args:
        name: Of the metric.
        where: The version, or the versions, as in `demo/V0003`.
        tables: What these have measured.
    """
    found = {name: series for table in tables for name, series in table.named().items()}
    names = [name for name, series in found.items() if series.source != "system"]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    seen = f"seen were {', '.join(names[:SHOWN])}{more}" if names else "none was seen at all (docs/metrics.md)"
    near = nearest(name, found)
    message = f"the metric `{name}` was never seen in {where}" + (f"; did you mean `{near}`?" if near else "")
    return NotFoundError(message, hint=seen)
