"""A deleted version is gone at once, its number for good; what other versions need stays."""

import pytest

from orchestrator.datasets import Datasets
from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.store.base import list_objects
from tests.datasets.conftest import on_each_store

pytestmark = on_each_store


@pytest.mark.parametrize("layout", ["plain", "packed"])
def test_a_deleted_version_is_gone_and_the_others_stay(datasets, store, folder, layout):
    datasets.push(folder, name="words", layout=layout)
    (folder / "new.txt").write_text("new")
    datasets.push(folder, name="words", layout=layout)
    assert datasets.delete("words", "v1") == ["V0001"]
    assert [version.number for version in datasets.versions("words")] == [2]
    assert datasets.verify("words").files == 4
    left = [item.key for item in list_objects(store, "datasets/words/V0001/")]
    assert left == ["datasets/words/V0001/dataset.json"]
    with pytest.raises(NotFoundError, match="no version 1; it has V0002"):
        datasets.get("words", 1)
    assert datasets.delete("words", "latest") == ["V0002"]
    assert datasets.list() == []
    for version in (None, 2):
        with pytest.raises(NotFoundError):
            datasets.delete("words", version)
    assert datasets.push(folder, name="words", layout=layout).version.number == 3
    assert datasets.verify("words").files == 4


def test_all_versions_are_deleted_but_not_what_is_just_being_pushed(datasets, store, folder):
    datasets.push(folder, name="words")
    (folder / "new.txt").write_text("new")
    datasets.push(folder, name="words")
    store.put("datasets/words/V0003/claim.json", b"{}")
    assert datasets.delete("words") == ["V0002", "V0001"]
    assert store.head("datasets/words/V0003/claim.json")


def test_what_jobs_have_read_is_deleted_by_force_only(store, folder):
    readers = {"words": {"V0001": [f"demo/V000{n}" for n in range(1, 6)]}}
    datasets = Datasets(store, readers=lambda name: readers[name])
    datasets.push(folder, name="words")
    with pytest.raises(ConflictError, match="is the data of demo/V0001, demo/V0002, demo/V0003 and 2 more"):
        datasets.delete("words")
    assert datasets.verify("words")
    assert datasets.delete("words", force=True) == ["V0001"]
