"""All that can be done with jobs; the CLI and the SDK make the same calls."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.backends.base import Backend, Event, Session
from orchestrator.datasets import Datasets
from orchestrator.errors import JobNotFinishedError, NotFoundError
from orchestrator.jobs import last
from orchestrator.jobs.cancel import AWAY, cancel_unstarted, request_cancel, still_ending
from orchestrator.jobs.create import create, preview
from orchestrator.jobs.delete import delete_versions
from orchestrator.jobs.happenings import happenings
from orchestrator.jobs.here import known_here
from orchestrator.jobs.listing import Found, get_record, read_version, read_versions
from orchestrator.jobs.logs import LogQuery
from orchestrator.jobs.metrics import table_of
from orchestrator.jobs.newest import newest_of_all
from orchestrator.jobs.numbers import last_number
from orchestrator.jobs.outputs import live_output, output_of
from orchestrator.jobs.plan import Plan, make_plan
from orchestrator.jobs.readers import read_job_log
from orchestrator.jobs.record import JobRecord, job_names
from orchestrator.jobs.spending import Use, uses_of
from orchestrator.jobs.using import Used, session, top
from orchestrator.jobs.view import JobView, is_here, judge, look, watcher
from orchestrator.jobs.wait import wait_for_end
from orchestrator.metrics.table import Table
from orchestrator.progress import SILENT, Reporter
from orchestrator.runtime.logread import PATIENCE
from orchestrator.runtime.output import Output
from orchestrator.runtime.status import Reason
from orchestrator.runtime.worker import MAIN, Source
from orchestrator.specs.job import ParameterValue
from orchestrator.specs.load import load_job_spec
from orchestrator.specs.names import parse_version
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.transfer import download_tree

CANCEL_WAIT = 15.0  # seconds that `cancel` waits for the script to end
LATEST = "latest"


class Jobs:
    """The jobs of a store, run by a backend.

    Versions are given as users write them: `v3`, `V0003`, `3` or `latest`. Every method that names a
    job or version raises NotFoundError if there is none. `models` names what is made of a job's output, by version.
    """

    def __init__(
        self,
        store: Store,
        backend: Backend,
        datasets: Datasets,
        *,
        context: str | None = None,
        reporter: Reporter = SILENT,
        models: Callable[[str], Mapping[str, Sequence[str]]] = lambda job: {},
    ) -> None:
        self._store = store
        self._context = context
        self._backend = backend
        self._datasets = datasets
        self._reporter = reporter
        self._models = models
        self._away = False  # the store could not be asked, and that was said

    def plan(
        self,
        spec: Path | str,
        *,
        assignments: Sequence[str] = (),
        parameters: Mapping[str, ParameterValue] | Sequence[str] = (),
    ) -> Plan:
        """Find out what `create` would do, and change nothing.

        Args:
            spec: Path of the YAML file.
            assignments: Overrides, as `resources.gpus=2`.
            parameters: Overrides of the script's parameters, as `{"num_epochs": 3}` or `["num_epochs=3"]`.

        Raises:
            SpecError: The file is not a valid job spec.
        """
        if isinstance(parameters, Mapping):
            parameters = [f"{name}={json.dumps(value)}" for name, value in parameters.items()]
        loaded = load_job_spec(Path(spec), assignments=assignments, parameters=parameters)
        return make_plan(
            loaded,
            self._store,
            self._datasets,
            backend=self._backend,
            context=self._context,
            reporter=self._reporter,
        )

    def create(
        self,
        plan: Plan | Path | str,
        *,
        assignments: Sequence[str] = (),
        parameters: Mapping[str, ParameterValue] | Sequence[str] = (),
    ) -> JobView:
        """Submit a plan, or the spec of that path with the overrides of `plan`.

        Raises:
            PreflightError: It cannot work, with all reasons.
        """
        if not isinstance(plan, Plan):
            plan = self.plan(plan, assignments=assignments, parameters=parameters)
        return create(plan, self._store, self._backend, self._datasets, reporter=self._reporter)

    def manifests(self, plan: Plan) -> Sequence[dict[str, Any]]:
        """Return the objects that `create` would make in a cluster; none where jobs run on this machine."""
        return preview(plan, self._store, self._backend)

    def list(self, name: str | None = None, *, all_versions: bool = False) -> Sequence[JobView]:
        """Return the latest version of each job, or all versions (of one job: always all), the newest first."""
        found: list[Found] = []
        if name is not None:
            found = read_versions(self._store, name)
            if not found:
                get_record(self._store, name, None)  # says what there is instead
        elif all_versions:
            for job in job_names(self._store):
                found += read_versions(self._store, job)
        else:
            found = newest_of_all(self._store)
        now = time.monotonic()  # one look at the place does for all
        views = [judge(self._backend, record, status, since=now) for record, status in found]
        return sorted(views, key=lambda view: (view.record.created, view.record.number), reverse=True)

    def unfinished(self) -> Sequence[JobView]:
        """Return all versions that wait or run, the oldest first, each looked at closely."""
        waiting = [view for view in reversed(self.list(all_versions=True)) if not view.status.state.finished]
        return [self._look(view.record) for view in waiting]

    def get(self, name: str, version: str = LATEST) -> JobView:
        """Return a job version and its state."""
        return self._look(self._record(name, version))

    def last(self) -> tuple[str, str]:
        """Return name and version of the last job created from the current folder."""
        return last.recall()

    def wait(
        self,
        name: str,
        version: str = LATEST,
        *,
        timeout: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> JobView:
        """Return when the job version has ended; see `JobView.raise_if_failed`.

        Raises:
            JobNotFinishedError: It had not ended after `timeout` seconds.
        """
        record = self._record(name, version)
        look_on = watcher(self._store, self._backend, record, self._reporter)
        return wait_for_end(look_on, timeout=timeout, sleep=sleep)

    def cancel(self, name: str, version: str = LATEST) -> JobView:
        """Stop a job version: SIGTERM, after a grace period SIGKILL. One that has ended stays as it is.

        Raises:
            JobNotFinishedError: It has not ended yet; the request stands.
        """
        record = self._record(name, version)
        view = self._look(record)
        if view.status.reason is Reason.NOT_STARTED:
            return cancel_unstarted(self._store, self._backend, record)
        if view.status.state.finished:
            return view
        request_cancel(self._store, self._backend, record)
        try:
            return self.wait(record.name, record.version, timeout=CANCEL_WAIT)
        except JobNotFinishedError:
            raise still_ending(self._look(record)) from None

    def delete(self, name: str, version: str | None = None) -> Sequence[str]:
        """Delete a version, or all of a job, with logs and output; the numbers stay taken.

        Output that went to a place of the user's own (`output:` in the spec) is left there.

        Returns:
            The deleted versions.

        Raises:
            ConflictError: One of them is still going, or a model is made of its output.
        """
        if version is None:
            last = last_number(self._store, name)
            found = read_versions(self._store, name)
            numbers = {*range(1, last + 1), *(record.number for record, _ in found)}
        else:
            number = self._number(name, version)
            pair = read_version(self._store, name, number)
            found = [pair] if pair and not pair[0].deleted else []
            numbers = {number} if pair else set()
        if not numbers:
            self._record(name, version or LATEST)  # says what there is instead
        return delete_versions(self._store, self._backend, name, found, numbers, self._models(name))

    def logs(
        self,
        name: str,
        version: str = LATEST,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        grep: str | None = None,
        timestamps: bool = False,
        source: Source = MAIN,
        worker: int | None = None,
    ) -> Iterator[bytes]:
        """Yield a job version's log, whether it is queued, running or ended; see `LogQuery` and `read_job_log`."""
        record = self._record(name, version)
        query = LogQuery(follow=follow, tail=tail, since=since, grep=grep, timestamps=timestamps)
        store = open_store(self._store.url, self._context, patience=PATIENCE) if follow else self._store
        return read_job_log(store, self._backend, record, query, source=source, worker=worker, reporter=self._reporter)

    def events(self, name: str, version: str = LATEST) -> Sequence[Event]:
        """Return what happened to a job version, the oldest first; a cluster forgets its part after an hour or so."""
        record = self._record(name, version)
        view = self._look(record)
        return sorted(
            happenings(view) + (self._backend.events(record.as_run()) if is_here(self._backend, record) else [])
        )

    def top(self) -> Sequence[Used]:
        """Return what the jobs that run in this place use, beside what they asked for."""
        return top(self._backend, self.list(all_versions=True))

    def session(
        self, name: str, version: str = LATEST, command: Sequence[str] = (), *, worker: int = 0, terminal: bool = True
    ) -> Session:
        """Return how to start a command beside a running job's script. Raises ConflictError if it does not run."""
        return session(self._backend, self.get(name, version), command, worker=worker, terminal=terminal)

    def metrics(self, name: str, version: str = LATEST, *, worker: int = 0) -> Table:
        """Return what a version has measured so far; of a job with several workers, what another one uses."""
        return table_of(self._store, self._record(name, version), worker)

    def uses(self) -> Iterator[Use]:
        """Yield when versions of all jobs ran, at what price."""
        return uses_of(self._store, self._backend)

    def outputs(self, name: str, version: str = LATEST) -> Output:
        """Return what a job version has written.

        Raises:
            JobNotFinishedError: It has not ended yet.
            NotFoundError: It ended before it could write anything.
        """
        return output_of(self._store, self._backend, self._record(name, version))

    def pull_outputs(self, name: str, version: str, target: Path) -> Output:
        """Download a job version's output into a folder, verified. Raises as `outputs`."""
        output = self.outputs(name, version)
        store = open_store(output.store, self._context)
        download_tree(store, output.prefix, output.manifest, target, reporter=self._reporter)
        return output

    def live_output(self, view: JobView) -> Path | None:
        """Return the folder that a version's script writes to, where it still does and within reach; else None."""
        return live_output(self._backend, view)

    def _look(self, record: JobRecord) -> JobView:
        return look(self._store, self._backend, record)

    def _number(self, name: str, version: str) -> int:
        number = parse_version(version)
        return get_record(self._store, name, None).number if number is None else number

    def _record(self, name: str, version: str) -> JobRecord:
        number = parse_version(version)
        try:
            record = get_record(self._store, name, number)
        except (*AWAY, NotFoundError) as error:  # a folder that is not mounted has no jobs
            known = known_here(self._backend, self._store.url, name, number)
            if known is None:
                raise
            if not self._away:
                self._reporter.note(f"{error.message}: this is what this machine knows")
            self._away = True
            return known
        self._away = False
        return record
