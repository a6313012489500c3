"""Submissions whose command died before it could tell the user: the same command goes on with them.

While a submission is made, `creating/<run id>` exists and its maker holds an `flock` on it. A file
that nobody holds belongs to a command that was killed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.config import home_dir
from orchestrator.locks import is_held, take


@contextmanager
def telling(run_id: str) -> Iterator[None]:
    """Mark the submission as not yet told; when this ends without an error, it is.

    An error leaves the mark to be found by `is_untold`, or to be removed by `forget`.
    """
    path = _path(run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = take(path)
    try:
        yield
        path.unlink(missing_ok=True)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def is_untold(run_id: str) -> bool:
    """Tell whether the command that made this submission died before it could tell."""
    path = _path(run_id)
    # In this order: whoever has told removes the mark before it lets go of it.
    return not is_held(path) and path.exists()


def forget(run_id: str) -> None:
    """Remove the mark."""
    _path(run_id).unlink(missing_ok=True)


def _path(run_id: str) -> Path:
    return home_dir() / "creating" / run_id
