"""Records of versions that have ended, made in no time."""

from collections import Counter

from orchestrator.client import Client
from orchestrator.jobs.code_diff import code_diffs
from orchestrator.jobs.record import CodeRef, EngineRef, JobRecord, version_prefix
from orchestrator.runtime.status import State, Status
from orchestrator.specs.prices import Price
from orchestrator.store.archive import snapshot_code, store_code
from orchestrator.store.records import write

ENGINE = EngineRef(name="plain-1", framework="Python", version="1", environment="e1")


class Lab:
    """Writes the records of versions that have ended, with real archives of code, into a store."""

    def __init__(self, folder) -> None:
        self.client = Client()
        self.code = folder / "code"
        self.code.mkdir()
        self.write("main.py", b"print('hello')")
        self.count: Counter[str] = Counter()

    def write(self, path, content) -> None:
        (self.code / path).write_bytes(content)

    def version(self, *, name="demo", engine=ENGINE, metrics=None, table=None, **spec) -> None:
        snapshot = snapshot_code(self.code, alone=True)
        code = CodeRef(
            key=store_code(self.client.store, snapshot),
            sha256=snapshot.sha256,
            name="code",
            files=snapshot.hashes(),
            size=snapshot.size,
        )
        self.count[name] += 1
        record = JobRecord(
            name=name,
            number=self.count[name],
            created=1000.0 + self.count.total(),
            parameters=spec.get("parameters", {}),
            spec={"name": name, "max_duration": "1h"} | spec,
            code=code,
            engine=engine,
            price=Price(3600.0, "EUR"),
        )
        prefix = version_prefix(name, record.number)
        write(self.client.store, prefix + "job.json", record)
        status = Status(state=State.SUCCEEDED, started=5000.0, finished=5002.5, metrics=metrics or {})
        write(self.client.store, prefix + "status.json", status)
        if table:
            write(self.client.store, prefix + "metrics.json", table)

    def diff(self, *versions) -> str:
        views = self.client.compare(["demo", *versions]).views
        return "".join(code_diffs(self.client.store, [view.record for view in views]))
