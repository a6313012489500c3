"""The metrics of a job version, as they are in the store."""

from orchestrator.jobs.record import JobRecord, version_prefix
from orchestrator.metrics.table import METRICS, Table
from orchestrator.store.base import Store
from orchestrator.store.records import find


def table_of(store: Store, record: JobRecord) -> Table:
    """Return what a version has measured so far; without any series if it has measured nothing."""
    return find(store, version_prefix(record.name, record.number) + METRICS, Table) or Table()
