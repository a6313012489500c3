"""What is measured of a job, and how far it will go, as its spec and engine say."""

from orchestrator.engines.catalog import Engine
from orchestrator.metrics.patterns import Measures
from orchestrator.specs.job import JobSpec

# Names that scripts give to the number of epochs or steps they make; ModelArts' and MoXing's own among them.
_EPOCHS = (
    "num_epochs",
    "max_epochs",
    "epochs",
    "num_epoch",
    "max_epoch",
    "max_epoches",
    "num_train_epochs",
    "n_epochs",
)
_STEPS = (
    "max_steps",
    "max_number_of_steps",
    "num_steps",
    "train_steps",
    "training_steps",
    "max_train_steps",
    "total_steps",
    "steps",
    "max_iter",
    "max_iters",
    "iterations",
    "num_iterations",
)


def measures_of(spec: JobSpec, engine: Engine | None) -> Measures:
    """Return what a worker is told to measure."""
    total, unit = _total(spec)
    styles = engine.metrics if engine else ()
    return Measures(styles=styles, patterns=spec.metrics, goals=spec.goals, total=total, unit=unit)


def _total(spec: JobSpec) -> tuple[int, str]:
    for unit, names in (("epoch", _EPOCHS), ("step", _STEPS)):
        for name in names:
            value = spec.parameters.get(name, spec.parameters.get(name.replace("_", "-")))
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value, unit
    return 0, ""
