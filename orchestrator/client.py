"""The SDK: what the command line does, from Python.

Example:
    from orchestrator import Client

    client = Client()
    job = client.jobs.create("job_specs/mnist-mxnet.yaml", parameters={"num_epochs": 1})
    job = client.jobs.wait(job.name, job.version)
    print(job.status.state, [entry.path for entry in client.jobs.outputs(job.name).manifest.entries])
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.config import get_context
from orchestrator.datasets import Datasets
from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.progress import SILENT, Reporter
from orchestrator.store import open_store

if TYPE_CHECKING:
    from orchestrator.backends.base import Backend
    from orchestrator.exports import Exported
    from orchestrator.jobs.compare import Comparison
    from orchestrator.jobs.jobs import Jobs
    from orchestrator.jobs.spending import By, Report
    from orchestrator.jobs.view import JobView
    from orchestrator.models.models import Files, Models
    from orchestrator.models.record import ModelVersion
    from orchestrator.services.batch.record import Mapping, Outcome
    from orchestrator.services.rows import Rule
    from orchestrator.services.runner import Runner
    from orchestrator.services.services import Services
    from orchestrator.services.trial.trial import Trial
    from orchestrator.sweeps.sweeps import Sweeps
    from orchestrator.tensorboard import Board
    from orchestrator.tensorboard.incluster import ClusterBoard
    from orchestrator.upkeep import Upkeep


class Client:
    """The jobs and datasets of one context.

    Args:
        context: Name of the context; None is the current one.
        reporter: Told of long work; by default nobody is.

    Attributes:
        context: The context.
        store: Its store.
        datasets: Its datasets.
    """

    def __init__(self, context: str | None = None, *, reporter: Reporter = SILENT) -> None:
        self.context = get_context(context)
        self.store = open_store(self.context.store, self.context.name)
        self.datasets = Datasets(self.store, reporter=reporter, readers=self._readers)
        self._reporter = reporter

    @cached_property
    def jobs(self) -> "Jobs":
        """Its jobs, loaded at first use: what only moves data starts in half the time without them."""
        from orchestrator.jobs.jobs import Jobs

        name = self.context.name
        backend = self._backend()
        return Jobs(self.store, backend, self.datasets, context=name, reporter=self._reporter, models=self._models_of)

    @cached_property
    def models(self) -> "Models":
        """Its models."""
        from orchestrator.datasets.versions import author
        from orchestrator.models.models import Models
        from orchestrator.services.record import users

        return Models(
            self.store,
            author=author(),
            context=self.context.name,
            reporter=self._reporter,
            users=lambda name: users(self.store, name),
        )

    @cached_property
    def sweeps(self) -> "Sweeps":
        """Its sweeps."""
        from orchestrator.datasets.versions import author
        from orchestrator.sweeps.sweeps import Sweeps

        return Sweeps(
            self.store,
            self._backend(),
            self.datasets,
            context=self.context.name,
            author=author(),
            reporter=self._reporter,
            models=self._models_of,
        )

    @cached_property
    def services(self) -> "Services":
        """Its services."""
        from orchestrator.datasets.versions import author
        from orchestrator.services.services import Services

        return Services(self.store, self.models, self._runner(), author=author(), reporter=self._reporter)

    def batch(
        self,
        service: str,
        source: str,
        target: str,
        *,
        mapping: "Mapping" = "file",
        rule: "Rule | None" = None,
        as_is: bool = False,
        parallel: int = 4,
        token: str = "",
    ) -> "Outcome":
        """Ask a service about all files below a place and keep the answers in another; see `run_batch`.

        Args:
            service: Its name.
            source: Folder or URL of the files, or one file.
            target: Folder or URL for the answers.
            mapping: A request for each file, or for each row of CSV files.
            rule: Which column of a row is which input; by default as the model's config.json says.
            as_is: Whether pictures are sent as they are, whatever config.json says.
            parallel: Number of requests under way.
            token: Instead of the one that this machine knows.
        """
        from orchestrator.services.batch.run import place_of, run_batch, source_of

        files, only = source_of(source, self.context.name)
        return run_batch(
            self.services,
            service,
            files,
            place_of(target, self.context.name),
            only=only,
            mapping=mapping,
            rule=rule,
            as_is=as_is,
            parallel=parallel,
            token=token,
            reporter=self._reporter,
        )

    def try_service(
        self,
        name: str,
        *,
        data: str = "",
        number: int = 100,
        parallel: int = 1,
        as_is: bool = False,
        token: str = "",
    ) -> "Trial":
        """Ask a service about pictures whose answers are known; see `orchestrator.services.trial.trial`."""
        from orchestrator.services.trial.trial import try_service

        return try_service(
            self.services,
            self.datasets,
            name,
            data=data,
            number=number,
            parallel=parallel,
            as_is=as_is,
            token=token,
            reporter=self._reporter,
        )

    def deployable(self, name: str | None = None, version: str = "latest") -> "ModelVersion":
        """Return the model version that a name means: a model's, or else a job's, whose output is registered then.

        Args:
            name: Of the model or job; by default the last job that was created from the current folder.
            version: Version or alias.

        Raises:
            NotFoundError: There is neither; or the job's output holds no model.
            ConflictError: The job version did not end well.
        """
        if name is None:
            record = self.jobs.get(self.jobs.last()[0]).record
            name = str((record.spec.get("model") or {}).get("name", record.name))
        try:
            return self.models.get(name, version)
        except NotFoundError:
            from orchestrator.jobs.record import job_names

            if name not in job_names(self.store):
                raise
            return self.register(name, version)

    def model_of(self, job: str, version: str) -> "ModelVersion":
        """Return the model version that a job version has become, which is registered now if it has not.

        Raises:
            NotFoundError: There is no such version, or its output holds no package.
            ConflictError: It did not end well.
        """
        record = self.jobs.get(job, version).record
        name = (record.spec.get("model") or {}).get("name", job)
        with suppress(NotFoundError):
            for found in self.models.versions(name):
                if found.lineage.job == f"{record.name}/{record.version}":
                    return found
        return self.register(job, version)

    def register(
        self, job: str, version: str = "latest", *, name: str | None = None, files: "Files | None" = None
    ) -> "ModelVersion":
        """Register the output of a job version as a version of a model.

        Args:
            job: Name of the job.
            version: Its version.
            name: Of the model; by default what the job's spec says, else the job's name.
            files: What goes into the package beside what the job has written, or in its place, by name.

        Raises:
            NotFoundError: There is no such version, or its output holds no package.
            ConflictError: It did not end well, so its output is not all that there should be.
        """
        from orchestrator.jobs.lineage import lineage_of, requirements_of_version
        from orchestrator.metrics.table import finals

        view, output = self.jobs.get(job, version), self.jobs.outputs(job, version)
        if not output.complete:
            raise ConflictError(f"{view.ref} {view.status.state}: its output is not complete", hint=view.status.hint)
        return self.models.import_output(
            name or (view.record.spec.get("model") or {}).get("name", job),
            view.record.number,
            store=output.store,
            prefix=output.prefix,
            manifest=output.manifest,
            lineage=lineage_of(
                view.record, requirements_of_version(self.store, view.record), finals(view.status.metrics)
            ),
            files=files or {},
        )

    def costs(self, *, by: "By" = "job", since: float = 0.0) -> "Report":
        """Return what jobs and services have cost; see `orchestrator.jobs.spending.report`."""
        from orchestrator.jobs.spending import report
        from orchestrator.services.record import uses_of

        return report([*self.jobs.uses(), *uses_of(self.store)], by=by, since=since)

    def compare(self, versions: "Sequence[str]") -> "Comparison":
        """Put versions of jobs beside each other, which are named as in `orchestrator.jobs.compare.choose`."""
        from orchestrator.jobs.compare import choose, compare

        return compare(choose(self.jobs, versions))

    def export_to_mlflow(
        self, views: "Sequence[JobView]", *, uri: str | None = None, files: bool = True
    ) -> "Iterator[Exported]":
        """Write job versions as runs into MLflow; see `orchestrator.exports.export`."""
        from orchestrator.exports import export_to_mlflow

        return export_to_mlflow(self.jobs, self.store, views, uri=uri, files=files, reporter=self._reporter)

    @cached_property
    def upkeep(self) -> "Upkeep":
        """What takes room in the store."""
        from orchestrator.upkeep import Upkeep

        return Upkeep(self.store, reporter=self._reporter)

    def tensorboard(
        self, name: str, versions: Sequence[str] = ("latest",), *, port: int | None = None
    ) -> "AbstractContextManager[Board]":
        """Start TensorBoard on versions of a job, and end it when the context is left.

        Args:
            name: Of the job.
            versions: As users write them; each is shown as a run.
            port: Of this machine; None is TensorBoard's own, or another if that is taken, and 0 any.

        Raises:
            NotFoundError: There is no such version, or one that has ended has no events.
            ConflictError: The port is taken.
            MlctlError: TensorBoard cannot be installed or started.
        """
        from orchestrator.tensorboard import open_board

        return open_board(self.jobs, name, versions, port=port, context=self.context.name, reporter=self._reporter)

    def cluster_tensorboard(
        self, name: str, versions: Sequence[str] = ("latest",), *, seconds: float, port: int | None = None
    ) -> "AbstractContextManager[ClusterBoard]":
        """Start TensorBoard as a pod of the cluster, and remove it when the context is left.

        Args:
            name: Of the job.
            versions: As users write them; each is shown as a run.
            seconds: After which the cluster ends it, if this process cannot.
            port: As for `tensorboard`.

        Raises:
            UsageError: The context has no cluster.
            NotFoundError: There is no such version, or one that has ended has no events.
            MlctlError: The cluster refuses it, or it does not start.
        """
        from orchestrator.tensorboard.incluster import open_cluster_board

        return open_cluster_board(
            self.jobs, name, versions, port=port, seconds=seconds, context=self.context, reporter=self._reporter
        )

    def _readers(self, dataset: str) -> dict[str, list[str]]:
        from orchestrator.jobs.uses import readers

        return readers(self.store, dataset)

    def _models_of(self, job: str) -> dict[str, list[str]]:
        from orchestrator.models.uses import models_of

        return models_of(self.store, job)

    def _runner(self) -> "Runner":
        if self.context.backend == "kubernetes":
            from orchestrator.services.kubernetes.runner import InCluster

            return InCluster(self.context, self._reporter)
        from orchestrator.services.here import Here

        return Here(self.models, self.store.url, self._reporter)

    def _backend(self) -> "Backend":
        from orchestrator.backends.choose import backend_of

        return backend_of(self.context, self._reporter)
