"""Installs packages that an engine lacks with `uv` into a layer over an engine's environment on this machine."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.engines.build import uv_storage_error
from orchestrator.engines.catalog import Engine
from orchestrator.engines.environment import ensure_environment, environment_path
from orchestrator.engines.layer import ensure_layer, is_layer_ready, layer_path
from orchestrator.engines.making import locked
from orchestrator.engines.requirements import FILE, Requirements, RequirementsError
from orchestrator.engines.uv import Outcome, run_uv
from orchestrator.errors import MlctlError
from orchestrator.progress import SILENT, Reporter

_INFO = ".dist-info"
_PINS = "engine.txt"
_UNSOLVED = "No solution found when resolving dependencies\n  cause: "
_INSTALLED = " + "  # begins uv's lines of what it has installed


def local_layer(engine: Engine, requirements: Requirements) -> Path:
    """Return the folder of the layer over the engine's environment, whether it exists or not."""
    return layer_path(environment_path(engine).name, requirements)


def ensure_local_layer(engine: Engine, requirements: Requirements, *, reporter: Reporter = SILENT) -> Path:
    """Install what is asked for over the engine's environment, unless that was done before; return the layer.

    Raises:
        RequirementsError: It cannot be had, or would change a package of the engine.
        MlctlError: The engine cannot be built, or the cache not be written.
    """
    environment = ensure_environment(engine, reporter=reporter).parents[1]
    install = partial(_install, engine, environment, requirements)
    what = f"{requirements.what or FILE} for {engine.name}"
    return ensure_layer(local_layer(engine, requirements), what, install, reporter=reporter)


def rehearse_local_layer(engine: Engine, requirements: Requirements) -> None:
    """Find out whether `ensure_local_layer` would succeed, as far as that can be told without downloading packages.

    Raises:
        RequirementsError: It would not.
    """
    path = local_layer(engine, requirements)
    if is_layer_ready(path):
        return
    with TemporaryDirectory(prefix="mlctl-layer-") as scratch, locked(Path(scratch, "layer"), FILE, SILENT) as lock:
        _install(engine, environment_path(engine), requirements, Path(scratch), lock, "--dry-run")


def _install(
    engine: Engine, environment: Path, requirements: Requirements, path: Path, lock: int, *options: str
) -> list[str]:
    with _engines_own(engine, environment, path) as pins:
        command = ["pip", "install", "--python", str(environment / "bin" / "python"), "--prefix", str(path), *options]
        command += ["--constraint", str(pins), "--requirement", FILE]
        outcome = run_uv(command, directory=path, lock=lock, cwd=requirements.folder)
    if outcome.code != 0:
        raise _error(engine, requirements, path, outcome)
    return [line.removeprefix(_INSTALLED) for line in outcome.lines if line.startswith(_INSTALLED)]


@contextmanager
def _engines_own(engine: Engine, environment: Path, path: Path) -> Iterator[Path]:
    """Have the layer look as if the engine's packages were installed there; yields the file that pins them.

    `uv` looks for what is installed in the folder that it installs into, and nowhere else.
    """
    site = next(environment.glob("lib/python*/site-packages"))
    target = path / site.relative_to(environment)
    target.mkdir(parents=True)
    copies, pins = [], []
    for info in sorted(site.glob(f"*{_INFO}")):
        name, _, version = info.name.removesuffix(_INFO).rpartition("-")
        pins.append(f"{name}=={version}\n")
        copies.append(target / info.name)
        copies[-1].mkdir()
        shutil.copyfile(info / "METADATA", copies[-1] / "METADATA")
    for pin in engine.provided:
        name, _, version = pin.partition("==")
        pins.append(f"{pin}\n")
        copies.append(target / f"{name}-{version}{_INFO}")
        copies[-1].mkdir()
        (copies[-1] / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    file = path / _PINS
    file.write_text("".join(pins), encoding="utf-8")
    try:
        yield file
    finally:
        for copy in copies:
            shutil.rmtree(copy, ignore_errors=True)


def _error(engine: Engine, requirements: Requirements, path: Path, outcome: Outcome) -> MlctlError:
    reason = outcome.reason.replace(_UNSOLVED, "").strip()
    message = f"{requirements.what or requirements.path} cannot be installed for {engine.name}: {reason}"
    match outcome.fault:
        case "disk full" | "read-only":
            return uv_storage_error(path, outcome)
        case "network":
            hint = "check the network and proxy; a package mirror set for pip (PIP_INDEX_URL, pip.conf) is used too"
        case "unsatisfiable":
            hint = f"name what there is, and what fits {engine.name}, whose own packages stay as they are"
        case _:
            hint = f"correct {requirements.what or FILE} and run the same command again"
    return RequirementsError(message, hint=hint)
