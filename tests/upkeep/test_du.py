"""Every object of a store is counted once, under what it belongs to."""

from orchestrator.jobs.delete import mark_deleted
from orchestrator.jobs.record import version_prefix
from orchestrator.store.archive import store_code
from orchestrator.store.base import list_objects
from orchestrator.sweeps.delete import mark_deleted as mark_sweep_deleted
from tests.upkeep.things import code, make_job, make_sweep


def test_each_object_is_counted_once(store, datasets, later, folder, tmp_path):
    datasets.push(folder, name="words", layout="packed")
    (folder / "new.txt").write_text("new" * 1000)
    datasets.push(folder, name="words", layout="packed")
    (folder / "other.txt").write_text("other" * 1000)
    datasets.push(folder, name="plain", layout="plain")
    store.put("datasets/plain/V0002/claim.json", b"{}")
    gone, record = make_job(store), make_job(store, code(tmp_path, "used"))
    store_code(store, code(tmp_path, "unused"))
    for one in (gone, record):
        for name in ("status.json", "logs/worker-0/000000000000.log", "output/model"):
            store.put(version_prefix("demo", one.number) + name, b"{   }")
    mark_deleted(store, "demo", [gone])
    sweeps = make_sweep(store, record), make_sweep(store, record)
    for sweep in sweeps:
        store.put(sweep.prefix + "trials/0001.json", b"{   }")
    mark_sweep_deleted(store, sweeps[0])
    store.put("notes.txt", b"foreign")
    store.put("mine/notes.txt", b"foreign")
    uses = later.usage()
    everything = list(list_objects(store, ""))
    assert sum(use.objects for use in uses) == len(everything)
    assert sum(use.size for use in uses) == sum(item.size for item in everything)
    rows = {(use.kind, use.name, use.what): (use.objects, use.size) for use in uses}
    assert rows["dataset", "words/V0001", "files"][0] == 3
    assert rows["dataset", "words", "packs shared by V0001 and V0002"][0] == 1
    assert rows["dataset", "words/V0002", "packs"][0] == 1
    assert rows["dataset", "plain/V0001", "files"][0] == 15
    assert rows["job", "demo", "logs"] == rows["job", "demo", "output"] == (1, 5)
    assert rows["job", "demo", "records"][0] == 4  # a page, too
    assert rows["code", "", "archives"][0] == 1
    assert rows["garbage", "", "code"][0] == 1
    assert rows["garbage", "", "job"] == (3, 15)
    assert rows["sweep", "rates", "records"][0] == 3
    assert rows["garbage", "", "sweep"] == (1, 5)
    assert rows["garbage", "", "push"][0] == 1
    assert rows["other", "", "not mlctl's"] == (2, 14)


def test_an_empty_store_has_nothing(later):
    assert later.usage() == []
