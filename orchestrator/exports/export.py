"""Export job versions to MLflow: a run each, found by its tag; what is there already is not written again."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from orchestrator.errors import NotFoundError, UsageError
from orchestrator.exports import words
from orchestrator.exports.tracking import Tracking
from orchestrator.jobs.jobs import Jobs
from orchestrator.jobs.view import JobView
from orchestrator.models.uses import models_of
from orchestrator.progress import Reporter
from orchestrator.store.base import Store

OUTPUT = "output"  # folder of a run's artifacts
LOG = "log.txt"
URI = "MLFLOW_TRACKING_URI"  # MLflow's own variable
WHOLE = "whole"  # how a run was exported


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a job version.

    Attributes:
        ref: The version, as in `mnist/V0003`.
        run: Id of its run.
        what: Whether the run is new, was completed, or was all there.
        models: The model versions that were registered now, as in `digits/V0003`.
    """

    ref: str
    run: str
    what: str
    models: list[str]


def export_to_mlflow(
    jobs: Jobs, store: Store, views: Sequence[JobView], *, uri: str | None, files: bool, reporter: Reporter
) -> Iterator[Exported]:
    """Write job versions as runs, and the models made of them as registered models; yield each when it is there.

    Args:
        jobs: Whose they are.
        store: Their store.
        views: The versions.
        uri: Of MLflow; None is that of MLFLOW_TRACKING_URI.
        files: Whether output and log go along; without them there are no models.
        reporter: Told what could not be exported.

    Raises:
        UsageError: There is no URI, or MLflow's client is not installed.
        StoreError: MLflow cannot be reached, or refuses.
    """
    uri = uri or os.environ.get(URI)
    if not uri:
        hint = f"--tracking-uri http://HOST:5000, or a folder: --tracking-uri ./mlruns; or set {URI}"
        raise UsageError("it is not said where MLflow is", hint=hint)
    tracking = Tracking(uri)
    models = {name: models_of(store, name) for name in {view.name for view in views}} if files else {}
    for view in sorted(views, key=lambda view: (view.name, view.record.number)):
        yield _Export(tracking, jobs, store, view, files, reporter).run(models.get(view.name, {}))


class _Export:
    """The export of one version."""

    def __init__(
        self, tracking: Tracking, jobs: Jobs, store: Store, view: JobView, files: bool, reporter: Reporter
    ) -> None:
        self._tracking = tracking
        self._jobs = jobs
        self._url = store.url
        self._view = view
        self._files = files
        self._reporter = reporter

    def run(self, models: Mapping[str, Sequence[str]]) -> Exported:
        tracking, view, status = self._tracking, self._view, self._view.status
        experiment = tracking.experiment(view.name)
        run = tracking.find_run(experiment, view.ref, self._url)
        what = "completed" if run else "new"
        tags = words.tags_of(view, self._url)
        if run is None:
            started = words.milliseconds(status.started or view.record.created)
            run = tracking.begin_run(experiment, view.version, tags, started=started)
        name, how = run.info.run_id, WHOLE if self._files else "without files"
        if run.data.tags.get(words.EXPORTED) in (WHOLE, how):
            what = "there"
        else:
            tracking.describe(name, tags=tags, parameters=words.parameters_of(view))
            tracking.measure(name, words.metrics_of(self._jobs.metrics(view.name, view.version)))
            ended = status.state.finished
            if ended and self._files:
                self._keep_files(name)
            tracking.end_run(name, words.state_of(view), finished=words.milliseconds(status.finished) if ended else 0)
            if ended:
                tracking.seal(name, how)
        made = [ref for ref in models.get(view.version, ()) if self._register(ref, run)]
        return Exported(ref=view.ref, run=name, what=what, models=made)

    def _keep_files(self, run: str) -> None:
        view = self._view
        with tempfile.TemporaryDirectory(prefix="mlctl-export-") as scratch:
            folder = Path(scratch)
            with (folder / LOG).open("wb") as log:
                log.writelines(self._jobs.logs(view.name, view.version))
            try:
                self._jobs.pull_outputs(view.name, view.version, folder / OUTPUT)
            except NotFoundError as error:  # it ended before it could write anything
                self._reporter.note(error.message)
            self._tracking.keep_files(run, folder)

    def _register(self, ref: str, run: object) -> bool:
        name = ref.partition("/")[0]
        if self._tracking.has_model(name, ref, self._url):
            return False
        about = f"{ref} of mlctl, made by job {self._view.ref}"
        self._tracking.add_model(name, ref, self._url, run=run, folder=OUTPUT, about=about)
        return True
