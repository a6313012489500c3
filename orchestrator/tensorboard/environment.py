"""TensorBoard's own Python environment, built as those of engines are: nothing of it is needed to install mlctl."""

from pathlib import Path

from orchestrator.engines import EngineBuildError, ensure_environment
from orchestrator.engines.catalog import Engine, Images, engine_folders
from orchestrator.progress import Reporter

NAME = "tensorboard"  # of the folder in `images/`


def board_python(reporter: Reporter) -> Path:
    """Return the Python that has TensorBoard, after building its environment if there is none yet.

    Raises:
        EngineBuildError: It cannot be built.
        PermissionDeniedError: The cache cannot be written.
    """
    environment = Engine(
        name=NAME,
        framework="TensorBoard",
        version="2",
        description="TensorBoard",
        python=("3.11", "3.12", "3.13"),
        images=Images(cpu=""),
        folder=str(engine_folders()[-1] / NAME),
    )
    try:
        return ensure_environment(environment, reporter=reporter)
    except EngineBuildError as error:  # there is no image of it that a hint could name
        hint = "check network, disk and the package index that pip is set to use (pip config list)"
        raise EngineBuildError(error.message, hint=hint) from error
