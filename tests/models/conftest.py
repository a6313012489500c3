"""A registry in each kind of store."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.models.models import Models
from orchestrator.store import open_store
from tests.jobs.conftest import Project, project
from tests.models.packages import below, mxnet
from tests.store.trees import make_tree

__all__ = ["Project", "project"]


@pytest.fixture
def models(store_url: str) -> Models:
    return Models(open_store(store_url), author="ann@lab")


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., str]:
    """Give a function that writes a package, and returns the folder that it is in."""

    def make(name: str = "digits", **changes: str) -> str:
        return str(make_tree(tmp_path / name, below("model", mxnet(**changes))))

    return make
