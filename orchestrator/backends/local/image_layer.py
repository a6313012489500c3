"""Installs a job's packages over a container image, with the image's own Python and pip, once for all jobs."""

import subprocess
from functools import partial
from pathlib import Path

from orchestrator.backends.local.containers import client_environment, here, variables
from orchestrator.engines.catalog import Engine
from orchestrator.engines.layer import ensure_layer, layer_path
from orchestrator.engines.requirements import FILE, Requirements, RequirementsError
from orchestrator.engines.uv import run
from orchestrator.pip_settings import DEFAULT_INDEX, pip_settings
from orchestrator.progress import SILENT, Reporter
from orchestrator.runtime.guests import PACKAGES, guest_folder
from orchestrator.specs.job import JobSpec

ID_LENGTH = 12  # hex digits of an image's id
REASON = "reason"
_INSTALLED = "Successfully installed "
_START = 'exec "$(command -v python || command -v python3)" "$@"'


def ensure_image_layer(
    program: str, image: str, engine: Engine, spec: JobSpec, requirements: Requirements, *, reporter: Reporter = SILENT
) -> Path:
    """Install what a job asks for over an image of this machine, unless that was done before; return the layer.

    Raises:
        RequirementsError: It cannot be had, or would change a package of the image.
        MlctlError: The cache cannot be written.
    """
    command = [program, "image", "inspect", "--format", "{{.Id}}", image]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True)
    base = f"image-{done.stdout.strip().removeprefix('sha256:')[:ID_LENGTH]}"
    install = partial(_install, program, image, engine, spec, requirements)
    return ensure_layer(layer_path(base, requirements), f"{FILE} for {image}", install, reporter=reporter)


def _install(
    program: str, image: str, engine: Engine, spec: JobSpec, requirements: Requirements, path: Path, lock: int
) -> list[str]:
    (uid, gid), _ = here()
    guest = guest_folder(PACKAGES)
    settings = {"HOME": "/tmp", **_pip_environment(), **spec.env}
    mounts = [f"{requirements.folder}:{requirements.folder}:ro", f"{path}:{path}", f"{guest}:{guest}:ro"]
    command = [
        *(program, "run", "--rm", "--pull", "never", "--network", "host", "--security-opt", "label=disable"),
        *("--user", f"{uid}:{gid}", *(["--userns", "keep-id"] if program == "podman" and uid else [])),
        *(word for mount in mounts for word in ("--volume", mount)),
        *variables(settings),
        *("--entrypoint", "/bin/sh", image, "-c", _START, "sh"),
        *(str(guest / "mlctl_install.py"), str(requirements.folder), str(path), str(path / REASON), *engine.provided),
    ]
    outcome = run(command, environment=client_environment(settings, {}), lock=lock)
    if outcome.code != 0:
        told = path / REASON
        reason = told.read_text(encoding="utf-8") if told.exists() else outcome.reason
        hint = "name what there is, and what fits the image, whose own packages stay as they are"
        raise RequirementsError(f"{requirements.path} cannot be installed for {image}: {reason}", hint=hint)
    return [line.removeprefix(_INSTALLED) for line in outcome.lines if line.startswith(_INSTALLED)]


def _pip_environment() -> dict[str, str]:
    """Return the user's settings for pip, as far as they mean something in a container."""
    settings = pip_settings()
    found = {
        "PIP_INDEX_URL": settings.index_url if settings.index_url != DEFAULT_INDEX else "",
        "PIP_EXTRA_INDEX_URL": " ".join(url for url in settings.extra_index_urls if not url.startswith("file:")),
        "PIP_TRUSTED_HOST": " ".join(settings.trusted_hosts),
    }
    return {name: value for name, value in found.items() if value}
