"""The images there are: the runtime's, and those of the engines."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from orchestrator.backends.kubernetes.images import from_registry
from orchestrator.backends.kubernetes.site import RUNTIME_IMAGE
from orchestrator.config import Context
from orchestrator.engines import list_engines
from orchestrator.engines.catalog import engine_folders
from orchestrator.errors import NotFoundError

RUNTIME = "runtime"
_BUILD = re.compile(r"^#.*\bdocker build -t (?P<name>\S+)(?P<rest>(?:.*\\\n#)*.*)$", re.MULTILINE)


class Image(NamedTuple):
    """An image that mlctl can build.

    Attributes:
        owner: An engine's name, or `runtime`.
        variant: `cpu`, `gpu`, or nothing of the runtime.
        name: As the engine names it.
        folder: Of its Dockerfile.
        build_args: What its Dockerfile says this variant is built with, as `NAME=value`.
    """

    owner: str
    variant: str
    name: str
    folder: Path
    build_args: Sequence[str] = ()


def list_images() -> list[Image]:
    """Return all images, the runtime's first."""
    found = [Image(RUNTIME, "", RUNTIME_IMAGE, engine_folders()[-1] / RUNTIME)]
    for engine in list_engines():
        for variant, name in (("cpu", engine.images.cpu), ("gpu", engine.images.gpu)):
            if name:
                folder = Path(engine.folder)
                found.append(Image(engine.name, variant, name, folder, _build_args(folder / "Dockerfile", name)))
    return found


def get_image(owner: str, *, gpu: bool) -> Image:
    """Return one image.

    Raises:
        NotFoundError: There is none, or no such variant.
    """
    of_owner = [image for image in list_images() if image.owner == owner]
    for image in of_owner:
        if image.variant == ("gpu" if gpu else "cpu") or (owner == RUNTIME and not gpu):
            return image
    what = f"{owner} has no image for GPUs" if of_owner else f"there is no image of {owner!r}"
    raise NotFoundError(what, hint="mlctl images list")


def needed(context: Context) -> list[str]:
    """Return the names of all images that jobs of a context may ask for, before any registry is put in front."""
    runtime, *engines = list_images()
    return [context.runtime_image or runtime.name, *(image.name for image in engines)]


def in_registry(name: str, registry: str) -> str:
    """Return an image's name in a registry, as contexts with `image_registry` ask for it."""
    return from_registry(name, registry)


def _build_args(dockerfile: Path, name: str) -> list[str]:
    """Return the build arguments of the command for this image in the Dockerfile's first lines."""
    text = dockerfile.read_text(encoding="utf-8") if dockerfile.is_file() else ""
    for found in _BUILD.finditer(text):
        if found["name"] == name:
            return re.findall(r"--build-arg (\S+)", found["rest"])
    return []
