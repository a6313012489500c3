"""What nobody needs is found and deleted, on each kind of store; all else stays."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from orchestrator.datasets import Datasets, versions
from orchestrator.errors import ConflictError, PermissionDeniedError, UsageError
from orchestrator.jobs.delete import left_of, mark_deleted
from orchestrator.jobs.listing import read_versions
from orchestrator.jobs.numbers import last_number
from orchestrator.jobs.record import version_prefix
from orchestrator.models import bring
from orchestrator.models.models import Models
from orchestrator.store import condemned, open_store
from orchestrator.store.archive import store_code
from orchestrator.store.base import Store, list_objects
from orchestrator.sweeps.delete import mark_deleted as mark_sweep_deleted
from orchestrator.upkeep import Upkeep, upkeep
from orchestrator.upkeep.references import PackReferences
from orchestrator.upkeep.survey import survey_dataset
from tests.store.trees import make_tree
from tests.upkeep.things import code, make_job, make_sweep
from tests.waiting import wait_until

spawner = multiprocessing.get_context("forkserver")
spawner.set_forkserver_preload(
    ["orchestrator.store.s3", "obstore.store", "orchestrator.upkeep", "orchestrator.jobs.create"]
)


def keys_of(store: Store) -> set[str]:
    return {item.key for item in list_objects(store, "")}


def found(garbage) -> set[tuple[str, str]]:
    return {(one.kind, one.where) for one in garbage}


def test_what_a_sweep_goes_on_with_is_needed(store, later, tmp_path):
    snapshot = code(tmp_path, "swept")
    job = make_job(store, snapshot)
    make_sweep(store, job)
    mark_deleted(store, job.name, [job])
    assert found(later.garbage()) == set()


def test_what_a_deleted_sweep_left_goes_with_its_code_and_its_number_stays(store, later, tmp_path):
    snapshot = code(tmp_path, "x")
    job = make_job(store, snapshot)
    sweep = make_sweep(store, job)
    mark_deleted(store, job.name, [job])
    for name in ("status.json", "trials/0001.json"):
        store.put(sweep.prefix + name, b"{}")
    before = keys_of(store)
    assert later.garbage() == []
    mark_sweep_deleted(store, sweep)  # and killed then
    garbage = later.garbage()
    assert found(garbage) == {("sweep", "sweeps/rates/V0001/"), ("code", snapshot.key)}
    later.collect(garbage)
    gone = {sweep.prefix + "status.json", sweep.prefix + "trials/0001.json", snapshot.key}
    assert keys_of(store) == before - gone
    assert make_sweep(store, job).version == "V0002"


def test_a_version_that_is_deleted_meanwhile_needs_nothing(store, datasets, folder):
    version = datasets.push(folder, name="words", layout="packed").version
    survey = survey_dataset(store, "words")
    before = PackReferences(store)
    before.learn(survey)
    assert before.of("words", version.number)
    datasets.delete("words")
    after = PackReferences(store)
    after.learn(survey)  # as it was listed a moment ago
    assert after.of("words", version.number) == frozenset()


def test_only_what_nobody_needs_is_deleted(store, datasets, later, folder, tmp_path):
    used, unused = code(tmp_path, "used"), code(tmp_path, "unused")
    make_job(store, used)
    store_code(store, unused)
    first = datasets.push(folder, name="words", layout="packed").version
    (folder / "new.txt").write_text("new" * 1000)
    second = datasets.push(folder, name="words", layout="packed").version
    plain = datasets.push(folder, name="plain", layout="plain").version
    for foreign in ("notes.txt", "code/notes.txt", "datasets/words/packs/notes.tar", "datasets/other/V0001/files/x",
                    "jobs/demo/notes.txt", "gc/notes.json", "models/x"):  # fmt: skip
        store.put(foreign, b"x")
    before = keys_of(store)
    only_first = set(datasets.manifest(first).packs)
    only_second = set(datasets.manifest(second).packs) - only_first
    assert found(later.garbage()) == {("code", unused.key)}
    assert Upkeep(store).garbage() == []
    datasets.delete("words", 2)
    garbage = later.garbage()
    assert found(garbage) == {("code", unused.key), *(("pack", key) for key in only_second)}
    assert [one.why for one in garbage] == ["no version of words refers to it", "no job refers to it"]
    assert keys_of(store) == before - {second.manifest_key, "datasets/words/V0002/claim.json"}
    assert found(later.collect(garbage)) == found(garbage)
    assert keys_of(store) == before - {second.manifest_key, "datasets/words/V0002/claim.json", unused.key, *only_second}
    assert later.garbage() == []
    assert datasets.verify("words", "v1").files == 10
    assert datasets.verify("plain").version == plain
    assert datasets.push(folder, name="words", layout="packed").version.version == "V0003"
    assert datasets.verify("words").files == 11


def test_what_deleted_jobs_left_goes_and_their_numbers_stay(store, later, tmp_path):
    snapshot = code(tmp_path, "x")
    gone, kept = make_job(store, snapshot), make_job(store)
    for record in (gone, kept):
        for name in ("status.json", "logs/worker-0/000000000000.log", "output/model", "output.json"):
            store.put(version_prefix("demo", record.number) + name, b"{}")
    mark_deleted(store, "demo", [gone])  # and killed then
    left = {item.key for item in left_of(store, "demo", {1})}
    before = keys_of(store)
    garbage = later.garbage()
    assert found(garbage) == {("job", "jobs/demo/V0001/"), ("code", snapshot.key)}
    assert len(left) == 4 == next(one.objects for one in garbage if one.kind == "job")
    later.collect(garbage)
    assert keys_of(store) == before - left - {snapshot.key}
    assert last_number(store, "demo") == 2
    assert [record.number for record, _ in read_versions(store, "demo")] == [2]


def test_files_of_models_that_no_version_refers_to_go(store, later, tmp_path, monkeypatch):
    models = Models(store, author="me")
    package = make_tree(tmp_path / "package", {"config.json": "{}", "weights/a": "a"})
    models.import_(str(package), "digits")
    kept = keys_of(store)
    (package / "config.json").write_text('{"model_type": "Custom"}')
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(bring, "register", interrupt)
        models.import_(str(package), "digits")
    assert Upkeep(store).garbage() == []
    (garbage,) = later.garbage()
    assert (garbage.kind, garbage.objects, garbage.why) == ("model", 2, "no version of digits refers to it")
    assert garbage.where.startswith("models/digits/files/")
    assert [(use.kind, use.objects) for use in later.usage()] == [("model", 3), ("garbage", 2)]
    store.put(garbage.where + "late", b"x")  # the import goes on
    young = Upkeep(store, clock=lambda: time.time() + 7200)
    assert young.collect(young.garbage()) == []
    assert later.collect([garbage]) == [garbage]
    assert keys_of(store) == kept and models.pull("digits", "v1", tmp_path / "pulled")
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(store, "delete", interrupt)
        models.delete("digits")
    assert [(one.kind, one.objects) for one in later.garbage()] == [("model", 2)]
    store.put("models/digits/V0001/model.json", b"{")
    assert later.garbage() == []  # nobody knows what it refers to


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_what_a_killed_deletion_left_of_a_dataset_goes(store, datasets, later, folder):
    version = datasets.push(folder, name="words", layout="plain").version
    versions.mark_deleted(store, version)  # and killed then
    assert datasets.list() == []
    garbage = later.garbage()
    assert found(garbage) == {("dataset", "datasets/words/V0001/")}
    later.collect(garbage)
    assert keys_of(store) == {"datasets/words/V0001/dataset.json"}


def test_a_push_that_was_never_finished_is_given_up_for_good(store, datasets, later, folder):
    datasets.push(folder, name="words", layout="plain")
    store.delete(["datasets/words/V0001/dataset.json"])
    left = keys_of(store)
    assert Upkeep(store).garbage() == []
    garbage = later.garbage()
    assert found(garbage) == {("push", "datasets/words/V0001/")}
    later.collect(garbage)
    assert keys_of(store) == {"datasets/words/V0001/dataset.json"}
    assert len(left) == garbage[0].objects
    assert datasets.list() == []
    assert datasets.push(folder, name="words").version.version == "V0002"
    assert datasets.verify("words").files == 10
    assert later.garbage() == []


def test_who_goes_on_with_a_push_that_was_given_up_is_told(store, datasets, later, folder, monkeypatch):
    from orchestrator.datasets import send

    datasets.push(folder, name="words", layout="plain")
    store.delete(["datasets/words/V0001/dataset.json"])
    upload = send.upload_tree

    def upload_while_collected(*args, **options):
        manifest = upload(*args, **options)
        later.collect(later.garbage())
        return manifest

    with monkeypatch.context() as patch:
        patch.setattr(send, "upload_tree", upload_while_collected)
        with pytest.raises(ConflictError, match="V0001 was finished, or given up"):
            datasets.push(folder, name="words")
    assert datasets.push(folder, name="words").version.version == "V0002"
    assert datasets.verify("words").files == 10


def test_a_push_that_goes_on_keeps_all_packs(store, datasets, later, folder):
    datasets.push(folder, name="words", layout="packed")
    datasets.delete("words")
    store.put("datasets/words/V0002/claim.json", b"{}")
    assert [one.kind for one in later.garbage()] == ["push", "pack"]
    young = Upkeep(store, clock=lambda: time.time() + 3600)
    assert young.garbage() == []
    garbage = later.garbage()
    # It begins to go on after it was found.
    store.put("datasets/words/V0003/claim.json", b"{}")
    assert [one.kind for one in later.collect(garbage)] == ["push"]
    assert any("/packs/" in key for key in keys_of(store))


def test_packs_stay_where_a_manifest_cannot_be_read(store, datasets, later, folder):
    datasets.push(folder, name="words", layout="packed")
    version = datasets.get("words")
    (folder / "more").write_text("more")
    datasets.push(folder, name="words", layout="packed")
    store.put(version.manifest_key, b"{")
    datasets.delete("words", 2)
    notes: list[str] = []

    class Reporter:
        note = staticmethod(notes.append)

    assert Upkeep(store, clock=lambda: time.time() + 200_000, reporter=Reporter()).garbage() == []
    assert "the packs of dataset words are left alone" in notes[0]


def test_dead_uploads_are_given_up(store, store_url, later, tmp_path):
    if store_url.startswith("file:"):
        dead = tmp_path / "store" / ".mlctl" / "tmp" / "1-2-3"
        dead.parent.mkdir(parents=True)
        dead.write_bytes(b"x" * 10)
        size, foreign = 10, 0
    else:
        address, size, foreign = store.clients.address, 5 << 20, 1
        for key in ("datasets/words/V0001/files/large", "notes/large"):
            place = {"Bucket": address.bucket, "Key": address.prefix + key}
            upload = store.clients.control.create_multipart_upload(**place)["UploadId"]
            store.clients.control.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"x" * size)
    assert Upkeep(store).garbage() == []
    garbage = later.garbage()
    assert [(one.kind, one.size) for one in garbage] == [("upload", size)]
    later.collect(garbage)
    assert later.garbage() == []
    later.collect(garbage)  # it is gone already
    assert len(store.list_unfinished()) == foreign


def test_where_uploads_cannot_be_listed_all_else_is_found(store, datasets, later, folder, tmp_path, monkeypatch):
    datasets.push(folder, name="words", layout="plain")
    store.delete(["datasets/words/V0001/dataset.json"])
    store_code(store, code(tmp_path, "unused"))
    assert [one.kind for one in later.garbage()] == ["push", "code"]

    def refuse():
        raise PermissionDeniedError("it needs s3:ListBucketMultipartUploads")

    monkeypatch.setattr(store, "list_unfinished", refuse)
    assert [one.kind for one in later.garbage()] == ["code"]  # a large file of the push may be on its way


def test_what_is_young_may_be_about_to_be_used(store):
    with pytest.raises(UsageError, match="younger than an hour"):
        Upkeep(store).garbage(older_than=60)


FRESH, OLD, ROUNDS = 1.5, 5.0, 12


def hurry(environment: dict[str, str]) -> None:
    """Let hours be seconds; a process that was made by another does not have the test's variables."""
    os.environ.update(environment)
    condemned.FRESH, upkeep.YOUNGEST = FRESH, OLD
    from orchestrator.jobs import create

    create.FRESH = FRESH


def collect_all_the_time(environment: dict[str, str], url: str, collected) -> None:
    hurry(environment)
    store = open_store(url)
    while True:
        found = len(Upkeep(store).collect(Upkeep(store).garbage(older_than=OLD), older_than=OLD))
        with collected.get_lock():
            collected.value += found


def use(environment: dict[str, str], url: str, folder: Path, number: int) -> None:
    """Create jobs of old code, and versions of old packs."""
    hurry(environment)
    store = open_store(url)
    name = f"words-{number}"
    for turn in range(ROUNDS):
        make_job(store, code(folder, f"{turn}-{number}"), name=f"job-{number}")
        if turn % 4 == 0:
            datasets = Datasets(store)
            version = datasets.push(folder / "data", name=name, layout="packed").version
            datasets.pull(name, version.version, folder / f"back-{number}-{turn}")
            datasets.delete(name)


def test_processes_race_and_nothing_in_use_is_lost(store, store_url, datasets, folder, tmp_path):
    snapshots = [code(tmp_path, f"{turn}-{number}") for turn in range(ROUNDS) for number in range(2)]
    for snapshot in snapshots:
        store_code(store, snapshot)
    for number in range(2):
        datasets.push(folder, name=f"words-{number}", layout="packed")
        datasets.delete(f"words-{number}")
    born = time.time()
    aged = store_url.startswith("file:")
    if aged:
        for path in (tmp_path / "store").rglob("*"):
            os.utime(path, (born - 60, born - 60))
    while not aged and time.time() < born + OLD + 1:
        time.sleep(0.1)
    given, collected = dict(os.environ), spawner.Value("i", 0)
    collectors = [spawner.Process(target=collect_all_the_time, args=(given, store_url, collected)) for _ in range(2)]
    users = [spawner.Process(target=use, args=(given, store_url, tmp_path, number)) for number in range(2)]
    for process in (*collectors, *users):
        process.start()
    for process in users:
        process.join(600)
    wait_until(lambda: collected.value)  # on a busy machine they may be late
    for process in collectors:
        process.kill()
        process.join()
    assert [process.exitcode for process in collectors] == [-signal.SIGKILL] * 2, "one has failed"
    assert [process.exitcode for process in users] == [0, 0]
    assert collected.value
    records = [record for number in range(2) for record, _ in read_versions(store, f"job-{number}")]
    assert len(records) == 2 * ROUNDS
    for record in records:
        assert store.head(record.code.key), record
