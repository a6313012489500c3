"""Where a model comes from, told from the record of the job version that made it."""

from orchestrator.jobs.record import JobRecord
from orchestrator.models.record import Lineage


def lineage_of(record: JobRecord) -> Lineage:
    """Return what a job version was made by, of and with."""
    code, data, engine = record.code, record.data, record.engine
    return Lineage(
        job=f"{record.name}/{record.version}",
        data=f"{data.name}/{data.version}" if data else "",
        data_sha256=data.sha256 if data else "",
        code_sha256=code.sha256 if code else "",
        git_commit=code.git_commit if code else "",
        git_dirty=bool(code and code.git_dirty),
        engine=engine.name if engine else "",
        environment=engine.environment if engine else "",
        parameters=record.parameters,
        author=record.author,
    )
