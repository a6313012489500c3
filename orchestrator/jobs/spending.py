"""What jobs, and services, have cost: times with their prices, summed up by name, engine or day."""

import time
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from orchestrator.backends.base import Backend
from orchestrator.jobs.listing import read_all
from orchestrator.jobs.record import job_names
from orchestrator.jobs.view import JobView, judge
from orchestrator.specs.prices import Price
from orchestrator.store.base import Store

By = Literal["job", "engine", "day"]


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """A time that a job version ran, or a service.

    Attributes:
        kind: What it was.
        name: Its name.
        engine: What it ran in; empty for a service.
        started, finished: Seconds since the epoch; what goes on ends now.
        price: Of an hour; None where it was not known.
    """

    kind: Literal["job", "service"]
    name: str
    engine: str = ""
    started: float
    finished: float
    price: Price | None


class Row(msgspec.Struct, kw_only=True):
    """What belongs together.

    Attributes:
        name: A job, an engine or a day.
        runs: Number of job versions and of services' times.
        seconds: How long they ran together.
        cost: By currency.
        unknown: Of the runs, those whose price is not known.
    """

    name: str
    runs: int = 0
    seconds: float = 0.0
    cost: dict[str, float] = {}
    unknown: int = 0

    def add(self, use: Use) -> None:
        """Count one."""
        seconds = max(0.0, use.finished - use.started)
        self.runs += 1
        self.seconds += seconds
        if use.price is None:
            self.unknown += 1
        else:
            self.cost[use.price.currency] = self.cost.get(use.price.currency, 0.0) + use.price.of(seconds)


class Report(msgspec.Struct, kw_only=True):
    """What was spent.

    Attributes:
        by: What the rows are.
        since: Seconds since the epoch before which nothing counts; 0 counts all.
        rows: The dearest first, or the days in their order.
        total: All together.
    """

    by: By
    since: float
    rows: list[Row]
    total: Row


def uses_of(store: Store, backend: Backend) -> Iterator[Use]:
    """Yield the times of all job versions that have started, and of those that were deleted if they have cost."""
    looked = time.monotonic()
    for name in job_names(store):
        for record, status in read_all(store, name):
            engine = record.engine.name if record.engine else ""
            if span := record.spent:
                started, finished, price = span.started, span.finished, span.price
                yield Use(kind="job", name=name, engine=engine, started=started, finished=finished, price=price)
                continue
            found = use_of(judge(backend, record, status, since=looked))
            if found:
                yield found


def use_of(view: JobView) -> Use | None:
    """Return when a job version ran; None if it never started. What earlier attempts took stands before its start."""
    record, status = view.record, view.status
    if not status.started:
        return None
    return Use(
        kind="job",
        name=record.name,
        engine=record.engine.name if record.engine else "",
        started=status.started - status.earlier,
        finished=status.started + view.duration,
        price=record.price,
    )


def report(uses: Iterable[Use], *, by: By, since: float = 0.0) -> Report:
    """Sum up.

    Args:
        uses: When what ran.
        by: Of what each sum is.
        since: Seconds since the epoch; of what began before, only the rest counts.
    """
    rows: dict[str, Row] = {}
    total = Row(name="total")
    for use in uses:
        if use.finished < since:
            continue
        cut = msgspec.structs.replace(use, started=max(use.started, since))
        total.add(cut)
        for name, part in _days(cut) if by == "day" else [(_name(cut, by), cut)]:
            rows.setdefault(name, Row(name=name)).add(part)
    ordered = sorted(rows.values(), key=lambda row: row.name)
    if by != "day":
        ordered.sort(key=lambda row: max(row.cost.values(), default=0.0), reverse=True)
    return Report(by=by, since=since, rows=ordered, total=total)


def _name(use: Use, by: By) -> str:
    if use.kind == "service":
        return f"service {use.name}" if by == "job" else "services"
    return use.name if by == "job" else use.engine


def _days(use: Use) -> Iterator[tuple[str, Use]]:
    """Yield the part of each day of this machine's time zone."""
    begin = use.started
    while True:
        day = time.localtime(begin)
        midnight = time.mktime((day.tm_year, day.tm_mon, day.tm_mday + 1, 0, 0, 0, 0, 0, -1))
        end = min(use.finished, midnight)
        yield time.strftime("%Y-%m-%d", day), msgspec.structs.replace(use, started=begin, finished=end)
        if end >= use.finished:
            return
        begin = end
