"""The package in a tree of files, laid out as ModelArts does: a folder `model/` with model, settings and service."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from orchestrator.errors import NotFoundError
from orchestrator.store.manifest import Manifest, manifest_of

FOLDER = "model/"  # of the package, in what a job has written
CONFIG = "config.json"
SERVICE = "customize_service.py"
SHOWN = 5  # files that a message names


def find_package(manifest: Manifest, where: str) -> tuple[str, Manifest]:
    """Return the folder of the package in a tree (empty, or ending in `/`), and the files in it.

    That is `model/`; or all of it, where it has a config.json at its top.

    Args:
        manifest: The tree.
        where: It, for a message.

    Raises:
        NotFoundError: There is neither; names what there is instead.
    """
    paths = [entry.path for entry in manifest.entries if entry.kind == "file"]
    if any(path.startswith(FOLDER) for path in paths):
        return FOLDER, below(manifest, FOLDER)
    if CONFIG in paths:
        return "", manifest
    there = ", ".join(paths[:SHOWN]) + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")
    raise NotFoundError(
        f"{where} has no model: neither a folder {FOLDER} nor a {CONFIG}; it has {there or 'no files'}",
        hint=f"have the script write the model files, {CONFIG} and {SERVICE} into a folder `model` below train_url",
    )


def below(manifest: Manifest, folder: str) -> Manifest:
    """Return what is in a folder (ending in `/`), with paths that start there."""
    return manifest_of(
        msgspec.structs.replace(entry, path=entry.path.removeprefix(folder), pack=None, offset=0)
        for entry in manifest.entries
        if entry.path.startswith(folder)
    )


def read_config(manifest: Manifest, read: Callable[[str], bytes]) -> dict[str, Any]:
    """Return the package's config.json; nothing if there is none, or none that is an object of JSON: lint tells.

    Args:
        manifest: The package.
        read: Returns what is in one of its files.
    """
    if not any(entry.path == CONFIG for entry in manifest.entries):
        return {}
    try:
        found = json.loads(read(CONFIG))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
