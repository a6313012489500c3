"""The program that builds and moves images: docker, podman or buildah, which take the same arguments."""

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from orchestrator.errors import MlctlError, NotFoundError
from orchestrator.progress import SILENT, Reporter

TOOLS = ("docker", "podman", "buildah")
_IMAGES = {"buildah": ["images", "--format", "{{.Name}}:{{.Tag}}"]}
_LIST = ["images", "--format", "{{.Repository}}:{{.Tag}}"]


class Tool:
    """One of them.

    Args:
        name: Of it; None is the first that is on the PATH.
        reporter: Told each command.
        dry_run: Whether commands are told only.

    Raises:
        NotFoundError: It is not there.
    """

    def __init__(self, name: str | None = None, *, reporter: Reporter = SILENT, dry_run: bool = False) -> None:
        wanted = (name,) if name else TOOLS
        found = next((one for one in wanted if shutil.which(one)), None)
        if found is None and not dry_run:
            hint = "install one of them: apt install podman, or dnf install podman"
            raise NotFoundError(f"there is no {' or '.join(wanted)} on the PATH", hint=hint)
        self.name = found or wanted[0]
        self._reporter = reporter
        self._dry_run = dry_run

    def run(self, *arguments: str, folder: Path | None = None) -> None:
        """Run one command; its output is the user's to see.

        Args:
            arguments: After the program's name.
            folder: Where it is run.

        Raises:
            MlctlError: It failed.
        """
        argv = [self.name, *arguments]
        self._reporter.note(f"+ {shlex.join(argv)}")
        if self._dry_run:
            return
        done = subprocess.run(argv, cwd=folder, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            message = f"{shlex.join(argv[:2])} failed with exit code {done.returncode}"
            raise MlctlError(message, hint="its own words are above; run the same command again when that is mended")

    def present(self) -> set[str]:
        """Return the images that it has, without the registries that it puts in front of short names."""
        argv = [self.name, *_IMAGES.get(self.name, _LIST)]
        done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        return {line.removeprefix("localhost/").removeprefix("docker.io/") for line in done.stdout.splitlines()}


def find_tool() -> Tool | None:
    """Return the program that is there, if one is."""
    return Tool() if any(map(shutil.which, TOOLS)) else None


def arguments(assignments: Sequence[str]) -> list[str]:
    """Return build arguments as all of the programs take them."""
    return [word for one in assignments for word in ("--build-arg", one)]
