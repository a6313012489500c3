"""The catalog's own entries arrive over the network, whole."""

import pytest

from orchestrator.datasets import Datasets
from orchestrator.errors import NotFoundError

FILES = {"mnist": 8, "fashion-mnist": 8, "digits": 3}


@pytest.mark.journey
@pytest.mark.parametrize("name", FILES)
def test_a_dataset_of_the_catalog_arrives(store, name):
    datasets = Datasets(store)
    with pytest.raises(NotFoundError):
        datasets.get(name)
    result = datasets.import_(name)
    assert (result.created, result.files) == (True, FILES[name])
    assert datasets.verify(name).files == FILES[name]
