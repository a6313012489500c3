"""Where a job's output goes."""

import os
from pathlib import Path

from orchestrator.config import bucket_of
from orchestrator.specs.job import JobSpec
from orchestrator.store.base import Store


def output_url(spec: JobSpec, folder: Path, store: Store) -> str:
    """Return the URL of the store that takes the output: the place the spec names, else the job's own store.

    Args:
        spec: The job's spec.
        folder: Where its relative paths start from.
        store: The store of the job's record.
    """
    if not spec.output:
        return store.url
    if bucket_of(spec.output):
        return spec.output.rstrip("/")
    return Path(os.path.normpath(folder / spec.output.removeprefix("file://"))).as_uri()
