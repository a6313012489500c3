"""Scripts in other Pythons, with the file service beside them."""

import os
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.runtime.files.server import FileService
from orchestrator.runtime.task import Task, Workspace
from orchestrator.store import open_store
from orchestrator.store.base import Store
from tests.guest.pythons import GUESTS, python

TIMEOUT = 120  # seconds


class Beside:
    """A script's folders, and the process beside it.

    Attributes:
        url: An empty prefix in the bucket.
        store: The store at that URL.
        workspace: The folders.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.store = open_store(url)
        self.workspace = Workspace(folder)
        self.workspace.make()
        task = {"job": "demo", "version": "V0001", "store": url, "prefix": "jobs/demo/V0001/", "code_key": "none"}
        place = {"code_name": "code", "boot_file": "main.py", "output_store": f"{url}-job", "output_prefix": "out/"}
        self.task = Task(**task, **place, data_mode="url")
        self.service = self.serve()

    def serve(self, connect: Callable[[str], Store] = open_store) -> FileService:
        service = FileService(self.task, self.workspace, connect)
        service.start()
        return service

    def environment(self, shared: str) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))},
            "PYTHONPATH": str(GUESTS / "moxing"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MLCTL_SOCKET": str(self.workspace.socket),
            "MLCTL_EXCHANGE": str(self.workspace.exchange),
            "MLCTL_SHARED": shared,
        }

    def run(self, source: str, *, version: str, shared: str = "/") -> str:
        """Run a script, which finds `mox`, `url` and `here`, an empty folder; return what it prints."""
        here = self.workspace.folder / "here"
        here.mkdir(exist_ok=True)
        header = f"# coding: utf-8\nimport os\nimport moxing as mox\nurl, here = {self.url!r}, {str(here)!r}\n"
        script = self.workspace.folder / "script.py"
        script.write_text(header + textwrap.dedent(source), encoding="utf-8")
        done = subprocess.run(
            [python(version), script],
            env=self.environment(shared),
            capture_output=True,
            text=True,
            cwd=here,
            timeout=TIMEOUT,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def held(self) -> dict[str, bytes]:
        """Return what is in the bucket."""
        from orchestrator.store.base import list_objects

        return {item.key: self.store.get(item.key).data for item in list_objects(self.store, "")}

    def left(self) -> list[str]:
        """Return what is left of files on their way."""
        return [path.name for path in self.workspace.exchange.iterdir() if path.name != "folders"]


@pytest.fixture
def beside(tmp_path: Path, bucket_url: str) -> Iterator[Beside]:
    made = Beside(tmp_path / "run", bucket_url)
    yield made
    made.service.stop()
