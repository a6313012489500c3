"""The cluster that a test of the stand-in runs against: the stand-in, or a real one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.clusters import Cluster, is_real, open_cluster
from tests.kubernetes.standin import Standin


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Give an empty namespace of a cluster."""
    with open_cluster(tmp_path / "cluster") as opened:
        yield opened


@pytest.fixture
def standin(request: pytest.FixtureRequest) -> Standin:
    """Give the stand-in behind `cluster`, for tests that pull its levers."""
    if is_real():
        pytest.skip("needs levers that a real cluster does not have")
    found = request.getfixturevalue("cluster").standin
    assert found
    return found
