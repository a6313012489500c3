"""The SDK: what the command line does, from Python.

Example:
    from orchestrator import Client

    client = Client()
    job = client.jobs.create("job_specs/mnist-mxnet.yaml", parameters={"num_epochs": 1})
    job = client.jobs.wait(job.name, job.version)
    print(job.status.state, [entry.path for entry in client.jobs.outputs(job.name).manifest.entries])
"""

from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.config import get_context
from orchestrator.datasets import Datasets
from orchestrator.progress import SILENT, Reporter
from orchestrator.store import open_store

if TYPE_CHECKING:
    from orchestrator.backends.base import Backend
    from orchestrator.jobs.jobs import Jobs
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
        return Jobs(self.store, self._backend(), self.datasets, context=name, reporter=self._reporter)

    @cached_property
    def upkeep(self) -> "Upkeep":
        """What takes room in the store."""
        from orchestrator.upkeep import Upkeep

        return Upkeep(self.store, reporter=self._reporter)

    def _readers(self, dataset: str) -> dict[str, list[str]]:
        from orchestrator.jobs.uses import readers

        return readers(self.store, dataset)

    def _backend(self) -> "Backend":
        if self.context.backend == "kubernetes":
            from orchestrator.backends.kubernetes.backend import KubernetesBackend

            return KubernetesBackend(self.context, self._reporter)
        from orchestrator.backends.local.backend import LocalBackend

        return LocalBackend(self.context.name)
