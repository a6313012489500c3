"""What can be done with models, on a folder and on a bucket."""

import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.errors import ConflictError, NotFoundError, UsageError
from orchestrator.models.models import Models
from orchestrator.store import open_store
from orchestrator.store.base import list_objects
from tests.models.packages import mxnet
from tests.store.trees import make_tree, read_tree


def test_a_folder_becomes_a_version_once(models, package):
    one = models.import_(package(), "digits")
    assert (one.ref, one.type, one.metrics, one.author) == ("digits/V0001", "MXNet", {"accuracy": 0.98}, "ann@lab")
    assert models.import_(package(), "digits") == one
    two = models.import_(package(weights="better"), "digits")
    assert [version.ref for version in models.versions("digits")] == ["digits/V0002", "digits/V0001"]
    assert models.list() == [two]
    assert models.get("digits", "v1") == one


def test_what_is_pulled_is_what_was_imported(models, package, tmp_path):
    models.import_(package(), "digits")
    models.pull("digits", "latest", tmp_path / "back")
    assert read_tree(tmp_path / "back") == read_tree(Path(package()) / "model")


def test_a_package_needs_no_folder_around_it(models, tmp_path):
    folder = make_tree(tmp_path / "bare", mxnet())
    assert models.import_(str(folder), "digits").manifest.files == 4
    assert models.import_(folder.as_uri(), "digits").ref == "digits/V0001"  # the very same


def test_files_may_be_given_beside(models, package, tmp_path):
    config = tmp_path / "own.json"
    config.write_text('{"model_algorithm": "x", "model_type": "Custom"}')
    found = models.import_(package(), "digits", {"config.json": config})
    assert (found.type, found.manifest.files) == ("Custom", 4)
    with pytest.raises(NotFoundError, match=r"nowhere\.py"):
        models.import_(package(), "digits", {"customize_service.py": tmp_path / "nowhere.py"})


def test_what_is_no_package_says_what_it_is(models, tmp_path):
    folder = make_tree(tmp_path / "other", {"weights.bin": "w", "log/a": "l"})
    with pytest.raises(NotFoundError, match=r"neither a folder model/ nor a config\.json; it has log/a, weights\.bin"):
        models.import_(str(folder), "digits")
    with pytest.raises(NotFoundError, match="there is no folder"):
        models.import_(str(tmp_path / "nothing"), "digits")
    with pytest.raises(UsageError, match="cannot be the name of a model"):
        models.import_(str(folder), "Digits!")


def test_a_prefix_of_a_bucket_can_be_imported(models, package, bucket_url):
    other = open_store(f"{bucket_url}/elsewhere")
    for name, content in mxnet().items():
        other.put(f"mine/model/{name}", content.encode())
    found = models.import_(f"{bucket_url}/elsewhere/mine/", "digits")
    assert found.manifest.tree_hash() == models.import_(package(), "digits").manifest.tree_hash()
    with pytest.raises(NotFoundError, match="there is nothing below"):
        models.import_(f"{bucket_url}/elsewhere/yours/", "digits")


def test_unknown_models_and_versions_name_the_nearest(models, package):
    models.import_(package(), "digits")
    with pytest.raises(NotFoundError) as missing:
        models.get("digit")
    assert missing.value.hint == "did you mean digits?"
    with pytest.raises(NotFoundError, match="has no version 7; it has V0001"):
        models.get("digits", "v7")
    with pytest.raises(NotFoundError, match="has no alias 'champion'"):
        models.get("digits", "champion")


def test_an_alias_moves_and_its_history_stays(models, package):
    models.import_(package(), "digits")
    models.import_(package(weights="better"), "digits")
    assert models.set_alias("digits", "champion", "v1")[0] == 0
    assert models.set_alias("digits", "champion", "v2")[0] == 1
    assert models.set_alias("digits", "champion", "v2")[0] == 2
    assert models.get("digits", "champion").number == 2
    assert models.remove_alias("digits", "champion") == 2
    changes = [(change.alias, change.before, change.after) for change in models.history("digits")]
    assert changes == [("champion", 0, 1), ("champion", 1, 2), ("champion", 2, 0)]
    for wrong in ("v3", "latest", "7"):
        with pytest.raises(UsageError, match="cannot be an alias"):
            models.set_alias("digits", wrong, "v1")


def test_tags_and_notes_are_kept(models, package):
    models.import_(package(), "digits")
    models.tag("digits", "v1", ["good", "small"])
    models.tag("digits", "v1", ["good"], remove=True)
    models.note("digits", "v1", "trained on a Sunday")
    card = models.card("digits")
    assert (card.tags, card.notes) == ({"V0001": ["small"]}, {"V0001": "trained on a Sunday"})
    assert [change.what for change in models.history("digits")] == ["tag", "tag", "untag", "note"]


def test_no_alias_is_lost_when_many_are_set_at_once(models, package):
    models.import_(package(), "digits")
    names = [f"alias-{number}" for number in range(20)]
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda name: models.set_alias("digits", name, "v1"), names))
    assert models.card("digits").aliases == dict.fromkeys(names, 1)


def test_imports_at_once_get_numbers_of_their_own(models, package):
    folders = [package(f"digits-{number}", weights=f"weights {number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda folder: models.import_(folder, "digits"), folders))
    assert sorted(version.number for version in found) == list(range(1, 9))


def test_deleting_takes_the_files_and_keeps_the_number(models, package, store_url):
    models.import_(package(), "digits")
    models.set_alias("digits", "champion", "v1")
    with pytest.raises(ConflictError, match="digits/V0001 is champion"):
        models.delete("digits", "v1")
    models.remove_alias("digits", "champion")
    assert models.delete("digits", "v1") == ["V0001"]
    keys = [item.key for item in list_objects(open_store(store_url), "models/")]
    assert sorted(keys) == ["models/digits/V0001/model.json", "models/digits/card.json"]
    assert models.import_(package(), "digits").number == 2


def test_what_is_in_use_stays(store_url, package):
    models = Models(open_store(store_url), author="ann@lab", users=lambda name: {"V0001": ["shop"]})
    models.import_(package(), "digits")
    with pytest.raises(ConflictError, match="digits/V0001 is used by shop"):
        models.delete("digits")


def test_an_archive_carries_all_to_another_store(models, package, tmp_path):
    models.import_(package(), "digits")
    models.import_(package(weights="better"), "digits")
    models.export("digits", "v2", tmp_path / "digits.tar.gz")
    with pytest.raises(ConflictError, match="exists"):
        models.export("digits", "v2", tmp_path / "digits.tar.gz")
    other = Models(open_store((tmp_path / "other").as_uri()), author="bob@home")
    found = other.import_(str(tmp_path / "digits.tar.gz"), "numbers")
    assert (found.ref, found.author) == ("numbers/V0002", "bob@home")
    assert found.manifest.tree_hash() == models.get("digits", "v2").manifest.tree_hash()
    assert other.import_(str(tmp_path / "digits.tar.gz")).ref == "digits/V0002"


def test_a_damaged_archive_is_refused(models, package, tmp_path):
    models.import_(package(), "digits")
    whole = tmp_path / "whole.tar.gz"
    models.export("digits", "v1", whole)
    (tmp_path / "cut.tar.gz").write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(UsageError, match="is not the archive of a model"):
        models.import_(str(tmp_path / "cut.tar.gz"), "digits")
    with tarfile.open(whole) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    (tmp_path / "unpacked" / "model" / "pred-0000.params").write_text("other!!")
    with tarfile.open(tmp_path / "changed.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "unpacked", "")
    with pytest.raises(UsageError, match=r"pred-0000\.params is not what was exported"):
        models.import_(str(tmp_path / "changed.tar.gz"), "digits")


def test_versions_are_compared(models, package):
    models.import_(package(), "digits")
    models.import_(package(weights="better"), "digits")
    rows = {row.what: row for row in models.diff("digits", "v1", "v2")}
    assert list(rows) == ["file pred-0000.params"]
    assert rows["file pred-0000.params"].one.startswith("7 bytes")


def test_a_folder_of_code_comes_with_all_that_its_service_imports(models, package, tmp_path):
    code = make_tree(
        tmp_path / "code", {"customize_service.py": "import net", "net.py": "x = 1", "__pycache__/n.pyc": ""}
    )
    found = models.import_(package(), "digits", {"customize_service.py": code})
    assert {"customize_service.py", "net.py"} < {entry.path for entry in found.manifest.entries}
    assert not any("pyc" in entry.path for entry in found.manifest.entries)
    with pytest.raises(NotFoundError, match=r"no .*deep/customize_service.py"):
        models.import_(package(), "digits", {"customize_service.py": make_tree(tmp_path / "deep", {"net.py": ""})})
