"""A real service in a process of its own; its model is a few lines of Python."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from orchestrator.ports import free_ports
from orchestrator.serving.settings import Deployed, Settings
from tests.store.trees import make_tree

CONFIG = {"model_algorithm": "echo", "model_type": "Custom"}
ECHO = """
import os, sys, time
import numpy as np
from model_service.model_service import SingleNodeService

class Echo(SingleNodeService):
    def describe(self):
        both = [{"name": "x", "dtype": "float32", "shape": [-1, 2]}]
        return {"inputs": both, "outputs": [{"name": "y", "dtype": "float32", "shape": [-1, 2]}]}

    def predict(self, inputs, outputs=None, signature=None):
        if set(inputs) != {"x"}:
            raise ValueError("the model's inputs are x")
        return {"y": inputs["x"] * 2}

    def _inference(self, data):
        if not isinstance(data, dict):
            raise ValueError("an object is wanted")
        what = data.get("do")
        if what == "raise":
            raise RuntimeError("as it was asked to")
        if what == "exit":
            os._exit(9)
        if what == "sleep":
            time.sleep(data["seconds"])
        if what == "wait":
            open(data["begun"], "w").close()
            while not os.path.exists(data["go"]):
                time.sleep(0.01)
        if what == "nan":
            return {"value": float("nan")}
        return {"version": VERSION, "pid": os.getpid(), "fields": sorted(data)}
"""


class Running:
    """A service that runs.

    Args:
        folder: Of its files.
        settings: Its own.
        before: Statements that its process begins with, if any.

    Attributes:
        http: A client for it.
        process: Its process.
    """

    def __init__(self, folder: Path, settings: Settings, before: str = "") -> None:
        self._path = folder / "settings.json"
        self.log = folder / "service.log"
        self.models_log = folder / "models.log"
        self.settings = settings
        self.write(settings)
        with self.log.open("wb") as log:
            source = f"{before}\nimport runpy; runpy.run_module('orchestrator.serving', run_name='__main__')"
            program = ["-c", source] if before else ["-m", "orchestrator.serving"]
            command = [sys.executable, *program, self._path]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", timeout=30)

    def write(self, settings: Settings) -> None:
        self._path.write_bytes(msgspec.json.encode(settings))

    def change(self, **fields: Any) -> None:
        """Have it read new settings."""
        self.settings = msgspec.structs.replace(self.settings, **fields)
        self.write(self.settings)
        self.process.send_signal(signal.SIGHUP)

    def wait(self, path: str = "/ready", status: int = 200) -> httpx.Response:
        deadline = time.monotonic() + 180
        while True:
            try:
                if (answer := self.http.get(path)).status_code == status:
                    return answer
            except httpx.TransportError:
                assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)


@pytest.fixture
def deployed(tmp_path: Path) -> Callable[..., Deployed]:
    """Give a function that makes a version of the model."""

    def make(number: int = 1, source: str = ECHO, config: dict[str, Any] | None = None, **fields: Any) -> Deployed:
        text = json.dumps(CONFIG | (config or {}))
        files = {"config.json": text, "customize_service.py": source.replace("VERSION", str(number))}
        folder = make_tree(tmp_path / f"v{number}", files)
        return Deployed(model="echo", number=number, folder=str(folder), **{"python": sys.executable} | fields)

    return make


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Give a function that starts a service."""
    started: list[Running] = []

    def start(*models: Deployed, ready: bool = True, before: str = "", **fields: Any) -> Running:
        running = Running(tmp_path, Settings(name="shop", models=models, port=free_ports(1)[0], **fields), before)
        started.append(running)
        if ready:
            running.wait()
        return running

    yield start
    for running in started:
        running.http.close()
        running.process.kill()
        running.process.wait()
