"""A tracking server or folder of MLflow, by its own client: what is there already is found, and not written again."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.errors import StoreError, UsageError
from orchestrator.exports.words import EXPORTED, STORE, VERSION, Measured

MOST = 500  # values of one request; MLflow takes 1000
FEW = 100  # parameters or tags of one request
SETTINGS = {
    "MLFLOW_ALLOW_FILE_STORE": "true",  # which is a folder
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # it would try for minutes to reach a server that is not there
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
MODEL = "mlctl.model"  # the tag that a model version is found by


class Tracking:
    """Where runs and models are written to. Every method raises StoreError if that fails.

    Args:
        uri: `http://host:5000`, `file:./mlruns` or a folder, or what else MLflow takes.

    Raises:
        UsageError: MLflow's client is not installed, or it does not know such a URI.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri if "://" in uri or uri.startswith("file:") else Path(uri).absolute().as_uri()
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            message = "exporting to MLflow needs its client, which is not installed here"
            raise UsageError(message, hint="pip install 'mlctl[mlflow]'") from error
        try:
            with self._asking():
                self._client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        except ImportError as error:  # a database
            raise UsageError(f"{self.uri} needs all of MLflow: {error}", hint="pip install mlflow") from error

    def experiment(self, name: str) -> str:
        """Return the id of an experiment, which is made if there is none."""
        with self._asking():
            found = self._client.get_experiment_by_name(name)
            if found is None:
                return str(self._client.create_experiment(name))
            if found.lifecycle_stage != "active":
                hint = f"mlflow experiments restore --experiment-id {found.experiment_id}"
                raise StoreError(f"experiment {name} was deleted in {self.uri}", hint=hint)
            return str(found.experiment_id)

    def find_run(self, experiment: str, ref: str, store: str) -> Any:
        """Return the run of a job version of a store, None if there is none."""
        with self._asking():
            found = self._client.search_runs([experiment], f"tags.`{VERSION}` = '{ref}'")
        return next((run for run in found if run.data.tags.get(STORE) == store), None)

    def begin_run(self, experiment: str, name: str, tags: Mapping[str, str], *, started: int) -> Any:
        """Make a run with the tags by which it is found again; return it.

        Args:
            experiment: Its id.
            name: What people see.
            tags: Of the run.
            started: Milliseconds since the epoch.
        """
        with self._asking():
            return self._client.create_run(experiment, start_time=started, tags=dict(tags), run_name=name)

    def describe(self, run: str, *, tags: Mapping[str, str], parameters: Mapping[str, str]) -> None:
        """Set tags and parameters of a run."""
        from mlflow.entities import Param, RunTag

        with self._asking():
            for some in _batches([*tags.items()], FEW):
                self._client.log_batch(run, tags=[RunTag(*item) for item in some])
            for some in _batches([*parameters.items()], FEW):
                self._client.log_batch(run, params=[Param(*item) for item in some])

    def measure(self, run: str, values: Sequence[Measured]) -> None:
        """Write those values that the run has not got yet."""
        from mlflow.entities import Metric

        with self._asking():
            there = {value.same() for name in {value.name for value in values} for value in self._measured(run, name)}
            new = [value for value in values if value.same() not in there]
            for some in _batches(new, MOST):
                self._client.log_batch(run, metrics=[Metric(*value) for value in some])

    def _measured(self, run: str, name: str) -> Iterable[Measured]:
        history = self._client.get_metric_history(run, name)
        return [Measured(name, one.value, one.timestamp, one.step) for one in history]

    def keep_files(self, run: str, folder: Path) -> None:
        """Bring all below a folder to the run's artifacts, in the place of those of the same name."""
        with self._asking():
            self._client.log_artifacts(run, str(folder))

    def end_run(self, run: str, state: str, *, finished: int) -> None:
        """Set a run's state, and when it ended: milliseconds since the epoch, or 0 if it goes on."""
        with self._asking():
            if finished:
                self._client.set_terminated(run, state, end_time=finished)
            else:
                self._client.update_run(run, status=state)

    def seal(self, run: str, how: str) -> None:
        """Note that a run is all there."""
        with self._asking():
            self._client.set_tag(run, EXPORTED, how)

    def has_model(self, name: str, ref: str, store: str) -> bool:
        """Tell whether there is a version of a registered model that is this one of a store."""
        with self._asking():
            found = self._client.search_model_versions(f"name = '{name}'")
        return any((one.tags.get(MODEL), one.tags.get(STORE)) == (ref, store) for one in found)

    def add_model(self, name: str, ref: str, store: str, *, run: Any, folder: str, about: str) -> None:
        """Make a version of a registered model, which is made if there is none.

        Args:
            name: Of the model.
            ref: Our own name of the version.
            store: URL of the store that has it.
            run: That it comes from.
            folder: Of the run's artifacts.
            about: For people.
        """
        from mlflow.exceptions import MlflowException

        with self._asking():
            try:
                self._client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            source, tags = f"{run.info.artifact_uri}/{folder}", {MODEL: ref, STORE: store}
            self._client.create_model_version(name, source, run.info.run_id, tags=tags, description=about)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            reason = str(error).splitlines()[0]
            raise StoreError(f"MLflow at {self.uri}: {reason}", hint="is it running, and the URI right?") from error
        except OSError as error:  # a folder that cannot be written, or a connection
            raise StoreError(f"MLflow at {self.uri}: {error}", hint="is it running, and the URI right?") from error


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[first : first + size] for first in range(0, len(items), size))
