"""Where a model comes from, told from the record of the job version that made it."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.engines.requirements import FILE
from orchestrator.jobs.record import JobRecord
from orchestrator.models.record import Lineage
from orchestrator.store.archive import extract_code
from orchestrator.store.base import Store

NOTHING: Mapping[str, float] = {}


def lineage_of(record: JobRecord, requirements: str, metrics: Mapping[str, float] = NOTHING) -> Lineage:
    """Return what a job version was made by, of and with.

    Args:
        record: Of the version.
        requirements: What is in its code's pip-requirements.txt.
        metrics: What its script has measured.
    """
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
        metrics=dict(metrics),
        requirements=requirements,
        author=record.author,
    )


def requirements_of_version(store: Store, record: JobRecord) -> str:
    """Return what is in the pip-requirements.txt of a job version's code; nothing if it has none.

    Raises:
        CorruptObjectError, StoreError: The code cannot be read from the store.
    """
    if not (record.code and FILE in record.code.files):
        return ""
    with TemporaryDirectory(prefix="mlctl-code-") as scratch:
        extract_code(store, record.code.key, Path(scratch, "code"))
        return Path(scratch, "code", FILE).read_text(encoding="utf-8-sig")
