"""Build an image, with what an installed mlctl carries."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from orchestrator.containers.catalog import RUNTIME, Image, in_registry
from orchestrator.containers.tool import Tool, arguments
from orchestrator.errors import NotFoundError

PACKAGE = Path(__file__).absolute().parents[1]


def build(tool: Tool, image: Image, *, registry: str = "", push: bool = False, build_args: Sequence[str] = ()) -> str:
    """Build an image and return its name.

    Args:
        tool: That does it.
        image: Which.
        registry: That goes in front of its name.
        push: Whether it is sent there.
        build_args: As `NAME=value`, on top of the variant's own.

    Raises:
        NotFoundError: There is no Dockerfile.
        MlctlError: The program failed.
    """
    dockerfile = image.folder / "Dockerfile"
    if not dockerfile.is_file():
        raise NotFoundError(f"{image.owner} has no Dockerfile: {dockerfile}", hint="write one beside its engine.yaml")
    name = in_registry(image.name, registry)
    words = ["build", "--tag", name, *arguments([*image.build_args, *build_args])]
    with tempfile.TemporaryDirectory(prefix="mlctl-build-") as scratch:
        folder = image.folder
        if image.owner == RUNTIME:
            folder = Path(scratch)
            _lay_out(image.folder, folder)
        tool.run(*words, "--file", str(folder / _inside(image)), str(folder))
    if push:
        tool.run("push", name)
    return name


def _inside(image: Image) -> str:
    return f"images/{RUNTIME}/Dockerfile" if image.owner == RUNTIME else "Dockerfile"


def _lay_out(runtime: Path, folder: Path) -> None:
    """Lay the runtime image's sources out as in the repository, also where mlctl is an installed package."""
    shutil.copytree(runtime, folder / "images" / RUNTIME)
    left_out = shutil.ignore_patterns("__pycache__", "images")
    shutil.copytree(PACKAGE, folder / "orchestrator", ignore=left_out)
