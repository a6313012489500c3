"""Load a package with its engine, as a service would, and throw the model away: does it work at all?"""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.engines import Engine, get_engine
from orchestrator.engines.environment import ensure_environment
from orchestrator.errors import PreflightError, UsageError
from orchestrator.models.guests import GUESTS
from orchestrator.models.package import FOLDER
from orchestrator.models.packages import ensure_packages
from orchestrator.models.record import ModelVersion
from orchestrator.progress import Reporter
from orchestrator.store.base import Store
from orchestrator.store.transfer import download_tree

SHOWN = 8  # last lines of what the package's own code said
PATIENCE = 600.0  # seconds that a model may take to load
# What loads a model that no job of ours has made, by model_type.
ENGINES = {"TensorFlow": "tensorflow-2", "MXNet": "mxnet-1.9", "Caffe": "caffe-1.0", "PyTorch": "pytorch-2"}
ENGINES |= dict.fromkeys(("Scikit_Learn", "XGBoost"), "scikit-learn-1")
TF1 = "tensorflow-1.15"  # for `runtime` as ModelArts has it, such as `tf1.13-python3.7-cpu`


class Loaded(msgspec.Struct, frozen=True):
    """What a package turned out to be.

    Attributes:
        engine: Which loaded it.
        service: Name of the service's class.
        inputs, outputs: Name, type and shape of each, as far as they are known.
    """

    engine: str
    service: str
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]


class _Told(msgspec.Struct):
    error: str = ""
    service: str = ""
    inputs: list[dict[str, Any]] = []
    outputs: list[dict[str, Any]] = []


def engine_for(version: ModelVersion, name: str | None = None) -> Engine:
    """Return the engine that a version is served with.

    It is the one asked for, that it was trained with, that its config.json has as `runtime`, or its type's.

    Raises:
        UsageError: None is known.
        NotFoundError: There is no such engine.
    """
    chosen = name or version.lineage.engine or _wanted(version) or ENGINES.get(version.type, "")
    if not chosen:
        message = f"which engine {version.ref} needs is not known: its model_type is {version.type or 'not given'}"
        raise UsageError(message, hint="name one: --engine NAME; see: mlctl engine list")
    return get_engine(chosen)


def _wanted(version: ModelVersion) -> str:
    """Return the engine that `runtime` in config.json asks for, where that is another than the type's own."""
    runtime = str(version.config.get("runtime", "")).lower()
    return TF1 if version.type == "TensorFlow" and re.match("(?:tf|tensorflow)[-_]?1", runtime) else ""


def dry_load(files: Store, version: ModelVersion, engine: Engine, *, registry: Store, reporter: Reporter) -> Loaded:
    """Load a version's package with an engine, whose environment is built if need be.

    Args:
        files: The store that has its files.
        version: Which one.
        engine: What it is loaded with.
        registry: The store that has the registry.
        reporter: Told of long work.

    Raises:
        PreflightError: It cannot be loaded, or packages that it needs not be had; says why, and shows what the
            package's own code said.
        MlctlError: The engine cannot be had, or the files not be fetched.
    """
    python = ensure_environment(engine, reporter=reporter)
    with tempfile.TemporaryDirectory(prefix="mlctl-model-") as scratch:
        folder = Path(scratch, FOLDER)
        download_tree(files, version.prefix, version.manifest, folder, reporter=reporter)
        packages = ensure_packages(registry, version, folder, engine, reporter=reporter)
        command = [str(python), "-m", "mlctl_model.worker", "--folder", str(folder), "--name", version.name]
        command += ["--packages", str(packages)] if packages else []
        path = os.pathsep.join(map(str, GUESTS))
        environment = {**os.environ, **engine.env, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command, cwd=scratch, env=environment, capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            message = f"{version.ref} did not load within {PATIENCE:g} s with engine {engine.name}"
            raise PreflightError(message, hint="its customize_service.py may wait for something") from error
    told = _last_line(done.stdout)
    if told.error or done.returncode:
        reason = told.error or f"the process ended with {done.returncode}"
        said = "\n".join(done.stderr.decode(errors="replace").strip().splitlines()[-SHOWN:])
        message = f"{version.ref} cannot be loaded with engine {engine.name}: {reason}" + (f"\n{said}" if said else "")
        raise PreflightError(message, hint="repair the package and import it again")
    return Loaded(engine.name, told.service, told.inputs, told.outputs)


def _last_line(output: bytes) -> _Told:
    """Return what the worker told; the package's own code may have written before it."""
    try:
        return msgspec.json.decode(output.strip().rpartition(b"\n")[2], type=_Told)
    except msgspec.DecodeError:
        return _Told()
