"""What is told to the store while a script is looked after, and what no more."""

from pathlib import Path

import pytest

from orchestrator.runtime.courier import CANCEL_POLL, HEARTBEAT, Courier
from orchestrator.runtime.status import State, Status
from orchestrator.runtime.task import CANCEL, STATUS, Task
from orchestrator.store import open_store
from orchestrator.store.records import read, write

PREFIX = "jobs/demo/V0001/"


@pytest.mark.parametrize(("started", "stays"), [(0.0, True), (1.0, False)], ids=["before its start", "running"])
def test_the_end_of_what_was_cancelled_before_it_began_is_not_written_over(
    tmp_path: Path, started: float, stays: bool
) -> None:
    store = open_store(tmp_path.as_uri())
    task = Task(
        job="demo",
        version="V0001",
        store=store.url,
        prefix=PREFIX,
        code_key="",
        code_name="",
        boot_file="main.py",
        output_store=store.url,
        output_prefix=f"{PREFIX}output/",
    )
    asked: list[bool] = []
    courier = Courier(task, lambda: store, lambda _store: [], lambda: asked.append(True))
    courier.tell(Status(state=State.STARTING, started=started))
    courier._round(store, [], 0.0)
    store.put(PREFIX + CANCEL, b"{}")
    courier._round(store, [], CANCEL_POLL)
    assert asked == [True]
    write(store, PREFIX + STATUS, Status(state=State.CANCELLED))  # by whoever cancelled it
    courier._round(store, [], CANCEL_POLL + HEARTBEAT)
    assert (read(store, PREFIX + STATUS, Status).state is State.CANCELLED) is stays
    courier.tell(Status(state=State.RUNNING, started=2.0))
    courier._round(store, [], CANCEL_POLL + HEARTBEAT)
    assert read(store, PREFIX + STATUS, Status).state is State.RUNNING, "what is new is told all the same"
