"""Jobs, sweeps and code archives made without running anything."""

import os
import time
from pathlib import Path

from orchestrator.jobs import create
from orchestrator.jobs.numbers import claim_number
from orchestrator.jobs.record import CodeRef, DataRef, JobRecord
from orchestrator.store.archive import CodeSnapshot, snapshot_code, store_code
from orchestrator.store.base import Store
from orchestrator.sweeps.record import SweepRecord, claim_sweep
from tests.store.trees import make_tree

DAY = 86_400.0


def code(tmp_path: Path, content: str) -> CodeSnapshot:
    return snapshot_code(make_tree(tmp_path / f"code-{content}", {"main.py": f"print({content!r})\n"}))


def make_job(
    store: Store, snapshot: CodeSnapshot | None = None, data: DataRef | None = None, name: str = "demo"
) -> JobRecord:
    """Create a job version as `jobs.create` does, but start nothing."""
    begun = time.time()
    reference = None
    if snapshot:
        key = store_code(store, snapshot)
        reference = CodeRef(key=key, sha256=snapshot.sha256, name="code", files={}, size=snapshot.size)
    record = JobRecord(name=name, number=0, run=os.urandom(8).hex(), code=reference, data=data)
    record = claim_number(store, record, lambda numbered: numbered)
    if snapshot and time.time() - begun > create.FRESH:
        store_code(store, snapshot)
    return record


def make_sweep(store: Store, template: JobRecord) -> SweepRecord:
    """Claim a version of a sweep as `sweep create` does, but start nothing."""
    record = SweepRecord(
        name="rates",
        number=0,
        digest="",
        created=time.time(),
        author="me",
        spec={},
        goal="maximize",
        template=template,
    )
    return claim_sweep(store, record)
