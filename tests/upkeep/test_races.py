"""A collector beside creators and pushers: in every order of their requests, nothing is lost that somebody uses."""

import os
import random
import time
from itertools import product

import msgspec
import pytest

from orchestrator.datasets import Datasets
from orchestrator.errors import ConflictError, StoreError
from orchestrator.jobs import numbers
from orchestrator.models import bring
from orchestrator.models.models import Models
from orchestrator.store import condemned, unpack
from orchestrator.store.archive import store_code
from orchestrator.store.base import Store
from orchestrator.upkeep import Upkeep
from tests.jobs.actors import Actor, obey
from tests.jobs.memory import MemoryStore
from tests.store.trees import make_tree
from tests.upkeep.things import DAY, code, make_job

LONG_AGO = 2 * DAY


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch, tmp_path):
    monkeypatch.setenv("MLCTL_CACHE", str(tmp_path / "cache"))
    for module, name in (
        (condemned, "PAUSE"),
        (condemned, "LONGEST_PAUSE"),
        (numbers, "LONGEST_PAUSE"),
        (unpack, "PAUSE"),
    ):
        monkeypatch.setattr(module, name, 0.0)


def collect(store: Store) -> int:
    upkeep = Upkeep(store)
    return len(upkeep.collect(upkeep.garbage()))


def play(first: Actor, second: Actor, turns: list[int]) -> None:
    """Let the two go on by so many requests in turn, then one by one to the end."""
    for number, steps in enumerate(turns):
        for _ in range(steps):
            (first, second)[number % 2].step()
    while not (first.over and second.over):
        first.step()
        second.step()


def orders(requests: int, seeds: int) -> list[list[int]]:
    """Return all orders in which one of two is interrupted twice at most, and some in which both often are."""
    chance = random.Random(3)
    often = [[chance.randint(0, 5) for _ in range(12)] for _ in range(seeds)]
    return [[before, behind, 99] for before, behind in product(range(requests), range(0, 40, 2))] + often


@pytest.fixture
def garbage_code(tmp_path):
    """Give a function that makes a store with a code archive that nobody has used for days."""
    snapshot = code(tmp_path, "x")

    def make() -> MemoryStore:
        store = MemoryStore()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "clock", lambda: 0.0)
            store_code(store, snapshot)
        obey(store)
        return store

    return snapshot, make


def test_a_job_always_has_its_code(garbage_code):
    snapshot, make = garbage_code
    collected = 0
    for turns in orders(10, 60):
        store = make()
        creator, collector = (
            Actor(store, lambda s=store: make_job(s, snapshot)),
            Actor(store, lambda s=store: collect(s)),
        )
        play(creator, collector, turns)
        assert (creator.error, collector.error) == (None, None), turns
        assert store.head(snapshot.key), turns
        collected += collector.result
    assert collected  # the race was one


def test_a_killed_collector_keeps_nobody_from_working(garbage_code, monkeypatch):
    snapshot, make = garbage_code
    for steps in range(40):
        store = make()
        collector = Actor(store, lambda s=store: collect(s))
        for _ in range(steps):
            collector.step()
        over = collector.over
        collector.kill()
        with monkeypatch.context() as patch:
            patch.setattr(condemned, "IN_FORCE", -1.0)  # the time is over
            make_job(store, snapshot)
        assert store.head(snapshot.key)
        later = Upkeep(store, clock=lambda: time.time() + LONG_AGO)
        later.collect(later.garbage())
        assert store.head(snapshot.key)
        assert not list(store.list_page("gc/").objects)
        if over:
            break


class OldFiles(MemoryStore):
    """A store whose files of models are as old as after an import that took days."""

    def _put(self, key, data):
        etag = super()._put(key, data)
        if "/files/" in key:
            self._objects[key] = msgspec.structs.replace(self._objects[key], modified=0.0)
        return etag


def test_an_imported_model_always_has_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr(bring, "FRESH", -1.0)
    folder = make_tree(tmp_path / "package", {"config.json": "{}", "weights": "w"})
    collected = 0
    for turns in orders(12, 60):
        store = OldFiles()
        obey(store)
        models = Models(store, author="me")
        importer = Actor(store, lambda models=models: models.import_(str(folder), "digits"))
        collector = Actor(store, lambda s=store: collect(s))
        play(importer, collector, turns)
        assert (importer.error, collector.error) == (None, None), turns
        version = importer.result
        assert all(store.head(version.prefix + entry.path) for entry in version.manifest.entries), turns
        collected += collector.result
    assert collected  # the race was one


def push(store: Store, folder) -> str:
    return Datasets(store).push(folder, name="words", layout="packed").version.version


@pytest.mark.parametrize("killed", [False, True], ids=["deleted version", "killed push"])
def test_a_pushed_version_always_has_its_packs(tmp_path, monkeypatch, killed):
    folder = make_tree(tmp_path / "data", {f"{number}.txt": f"{number}" for number in range(5)})
    for path in folder.iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))
    collected = again = 0
    for number, turns in enumerate(orders(16, 40)):
        if number % 3:  # a third of them, for the sake of time
            continue
        monkeypatch.setenv("MLCTL_HOME", str(tmp_path / f"home-{number}"))
        store = MemoryStore()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "clock", lambda: 0.0)
            push(store, folder)
            if killed:
                store.delete(["datasets/words/V0001/dataset.json"])
            else:
                Datasets(store).delete("words")
        obey(store)
        pusher = Actor(store, lambda s=store: push(s, folder))
        collector = Actor(store, lambda s=store: collect(s))
        play(pusher, collector, turns)
        assert collector.error is None, turns
        if pusher.error:  # told, and the next one does it
            assert isinstance(pusher.error, StoreError | ConflictError), turns
            again += 1
            push(store, folder)
        datasets = Datasets(store)
        assert datasets.verify("words").files == 5, turns
        collected += collector.result
    assert collected
    if not killed:
        assert not again
