"""A store of each kind, and an upkeep that lives two days later."""

import time
from pathlib import Path

import pytest

from orchestrator.datasets import Datasets
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.upkeep import Upkeep
from tests.store.trees import make_tree
from tests.upkeep.things import DAY


@pytest.fixture
def store(store_url: str) -> Store:
    return open_store(store_url)


@pytest.fixture
def datasets(store: Store) -> Datasets:
    return Datasets(store)


@pytest.fixture
def later(store: Store) -> Upkeep:
    return Upkeep(store, clock=lambda: time.time() + 2 * DAY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "data", {f"{number}.txt": f"{number}" * 100 for number in range(10)})
