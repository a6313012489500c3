"""All that can be done with sweeps; the CLI and the SDK make the same calls."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from orchestrator.backends.base import Backend
from orchestrator.datasets import Datasets
from orchestrator.errors import ConflictError, JobNotFinishedError
from orchestrator.jobs.create import settle
from orchestrator.jobs.series import as_template
from orchestrator.progress import SILENT, Reporter
from orchestrator.specs.load_sweep import load_sweep_spec
from orchestrator.specs.names import parse_version
from orchestrator.store.base import Store
from orchestrator.store.gather import gather
from orchestrator.store.records import find
from orchestrator.sweeps.delete import Deleted, delete_record, delete_trials, require_over
from orchestrator.sweeps.plan import SweepPlan, plan_sweep
from orchestrator.sweeps.process import start
from orchestrator.sweeps.record import (
    STATUS,
    STOP,
    SweepRecord,
    SweepState,
    SweepStatus,
    Trial,
    claim_sweep,
    find_sweep,
    get_sweep,
    sweep_names,
    sweep_numbers,
)
from orchestrator.sweeps.view import SweepView, view_of

POLL = 0.2  # seconds between two looks at a sweep that is watched; grows with the wait
LONGEST_POLL = 2.0  # seconds
STOP_WAIT = 60.0  # seconds that `stop` waits for the trials to end
LATEST = "latest"

Views: TypeAlias = list[SweepView]  # a method is called `list`


class Sweeps:
    """The sweeps of a store.

    Versions are given as users write them: `v3`, `V0003`, `3` or `latest`. Every method that names a sweep raises
    NotFoundError if there is none.

    Args:
        store: Where their records are.
        backend: Where their trials run.
        datasets: Of that store.
        context: Name of the context.
        author: Who acts, as `user@host`.
        reporter: Told of long work.
        models: Tells what is made of a job's output, by version.
    """

    def __init__(
        self,
        store: Store,
        backend: Backend,
        datasets: Datasets,
        *,
        context: str,
        author: str,
        reporter: Reporter = SILENT,
        models: Callable[[str], Mapping[str, Sequence[str]]] = lambda job: {},
    ) -> None:
        self._store = store
        self._backend = backend
        self._datasets = datasets
        self._context = context
        self._author = author
        self._reporter = reporter
        self._models = models

    def plan(self, spec: Path | str, *, assignments: Sequence[str] = ()) -> SweepPlan:
        """Find out what `create` would do, and change nothing.

        Args:
            spec: Path of the YAML file.
            assignments: Overrides, as `budget.trials=5`.

        Raises:
            SpecError: The file is not a valid sweep spec.
        """
        return plan_sweep(
            load_sweep_spec(spec, assignments=assignments),
            self._store,
            self._datasets,
            backend=self._backend,
            context=self._context,
            reporter=self._reporter,
        )

    def create(self, plan: SweepPlan | Path | str, *, assignments: Sequence[str] = ()) -> SweepView:
        """Begin a sweep, or go on with its latest version if that is the very same and has not succeeded.

        Raises:
            PreflightError: It cannot work, with all reasons.
            ConflictError: Somebody looks after it already.
        """
        if not isinstance(plan, SweepPlan):
            plan = self.plan(plan, assignments=assignments)
        plan.require_possible()
        template = settle(plan.job, self._store, self._backend, self._datasets, reporter=self._reporter)
        digest = plan.digest(template.data)
        latest = find_sweep(self._store, plan.spec.name)
        if latest and latest.digest == digest and self._status(latest).state is not SweepState.SUCCEEDED:
            self._reporter.note(f"{latest.ref} is this very sweep: going on with it")
            return self._go_on(latest)
        record = SweepRecord(
            name=plan.spec.name,
            number=0,
            digest=digest,
            created=time.time(),
            author=self._author,
            spec=plan.spec_document(),
            goal=plan.goal,
            template=as_template(template, plan.job, self._store),
        )
        return self._go_on(claim_sweep(self._store, record))

    def resume(self, name: str, version: str = LATEST) -> SweepView:
        """Go on with a sweep that was stopped, has failed, or whose process is gone, from wherever this is.

        Raises:
            ConflictError: It has succeeded, or somebody looks after it.
        """
        record = self._record(name, version)
        if self._status(record).state is SweepState.SUCCEEDED:
            message = f"sweep {record.ref} has come to its end"
            raise ConflictError(message, hint=f"create it again for another version; its best: mlctl sweep best {name}")
        return self._go_on(record)

    def list(self) -> Views:
        """Return the latest version of each sweep, the newest first."""
        records = gather(lambda name: find_sweep(self._store, name), sweep_names(self._store))
        views = [view_of(self._store, record) for record in records if record]
        return sorted(views, key=lambda view: view.record.created, reverse=True)

    def get(self, name: str, version: str = LATEST) -> SweepView:
        """Return a sweep and how it stands."""
        return view_of(self._store, self._record(name, version))

    def watch(self, name: str, version: str = LATEST) -> Iterator[SweepView]:
        """Yield a sweep whenever something has changed, until it has ended or nobody looks after it."""
        record, told, pause = self._record(name, version), None, POLL
        known: dict[int, Trial] = {}
        while True:
            view = view_of(self._store, record, known)
            if view != told:
                yield view
                told, pause = view, POLL
            if view.status.state is not SweepState.RUNNING:
                return
            time.sleep(pause)
            pause = min(pause * 1.2, LONGEST_POLL)

    def wait(self, name: str, version: str = LATEST) -> SweepView:
        """Return when a sweep has ended, or nobody looks after it; see `SweepView.raise_if_failed`."""
        *_, view = self.watch(name, version)
        return view

    def stop(self, name: str, version: str = LATEST) -> SweepView:
        """End a sweep with the trials that run; one that has ended stays as it is.

        Raises:
            JobNotFinishedError: Its trials have not ended yet; the request stands.
        """
        record = self._record(name, version)
        view = view_of(self._store, record)
        if view.status.state.finished:
            return view
        self._store.put(record.prefix + STOP, b"{}\n")
        if view.status.state is SweepState.INTERRUPTED:  # its trials may run all the same
            self._start(record)
        deadline = time.monotonic() + STOP_WAIT
        while (view := view_of(self._store, record)).status.state is SweepState.RUNNING:
            if time.monotonic() > deadline:
                message = f"sweep {record.ref} has trials that have not ended yet"
                raise JobNotFinishedError(message, hint=f"it ends by itself: mlctl sweep get {name}")
            time.sleep(POLL)
        return view

    def delete(self, name: str, version: str | None = None, *, trials: bool = False) -> Deleted:
        """Delete a version of a sweep, or all of them; the numbers stay taken.

        Its trials stay versions of their job.

        Args:
            name: Of the sweep.
            version: Of the sweep; None is all that there are.
            trials: Delete these versions of the job, too, but for those of whose output models are made.

        Raises:
            ConflictError: One of them has not ended, or a trial of it still goes on.
        """
        if version is not None:
            records = [self._record(name, version)]
        else:
            found = [find_sweep(self._store, name, number) for number in sweep_numbers(self._store, name)]
            records = [record for record in found if record] or [self._record(name, LATEST)]
        require_over(self._store, records)
        gone: list[str] = []
        kept: dict[str, Sequence[str]] = {}
        for record in records:
            if trials:
                some, stay = delete_trials(self._store, self._backend, record, self._models(record.template.name))
                gone, kept = gone + some, kept | stay
            delete_record(self._store, record, author=self._author, reporter=self._reporter)
        jobs = sorted({record.template.name for record in records})
        return Deleted(sweeps=[record.ref for record in records], jobs=jobs, trials=gone, kept=kept)

    def _go_on(self, record: SweepRecord) -> SweepView:
        self._store.delete([record.prefix + STOP])
        self._start(record)
        return view_of(self._store, record)

    def _start(self, record: SweepRecord) -> None:
        start(record, self._store, self._context, author=self._author, reporter=self._reporter)

    def _status(self, record: SweepRecord) -> SweepStatus:
        return find(self._store, record.prefix + STATUS, SweepStatus) or SweepStatus()

    def _record(self, name: str, version: str) -> SweepRecord:
        return get_sweep(self._store, name, parse_version(version))
