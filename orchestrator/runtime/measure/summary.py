"""What a status says of metrics."""

import msgspec

from orchestrator.metrics.table import Table
from orchestrator.runtime.status import Status


def with_metrics(status: Status, table: Table, *, heartbeat: float) -> Status:
    """Return the status with what the table says in short."""
    return msgspec.structs.replace(status, heartbeat=heartbeat, metrics=table.summaries(), progress=table.progress)
