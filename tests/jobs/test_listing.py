"""A listing says what reading every record and status says, however many change it meanwhile, and in few requests."""

import gzip
import multiprocessing
import os
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import NotFoundError
from orchestrator.jobs import listing, numbers, pages
from orchestrator.jobs.delete import left_of, mark_deleted
from orchestrator.jobs.listing import get_record, keep_pages_up, newest, read_version, read_versions
from orchestrator.jobs.numbers import claim_number, last_number
from orchestrator.jobs.record import JobRecord, job_prefix, number_of, version_prefix
from orchestrator.runtime.status import State, Status
from orchestrator.runtime.task import STATUS
from orchestrator.store.base import list_folders
from orchestrator.store.file import FileStore
from orchestrator.store.records import find, write
from tests.jobs.actors import Actor, obey
from tests.jobs.memory import MemoryStore

SPAN = 4


@pytest.fixture(autouse=True)
def small_pages(monkeypatch, tmp_path):
    monkeypatch.setenv("MLCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(numbers, "LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(pages, "LONGEST_PAUSE", 0.0)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(pages, "SPAN", SPAN)
    monkeypatch.setattr(listing, "SPAN", SPAN)
    monkeypatch.setattr(numbers, "MANY", SPAN)
    monkeypatch.setattr(pages, "WORTH", 1)


def create(store, name="many"):
    return claim_number(store, JobRecord(name=name, number=0, run=os.urandom(8).hex()), lambda record: record)


def tell(store, number, state, name="many"):
    write(store, version_prefix(name, number) + STATUS, Status(state=state, finished=1.0 if state.finished else 0.0))


def delete(store, wanted, name="many"):
    found = [pair[0] for number in wanted if (pair := read_version(store, name, number)) and not pair[0].deleted]
    mark_deleted(store, name, found)
    store.delete(item.key for item in left_of(store, name, set(wanted)))


def version_numbers(store, name="many"):
    return sorted(filter(None, map(number_of, list_folders(store, job_prefix(name)))))


def plainly(store, name="many"):
    pairs = [read_version(store, name, number) for number in reversed(version_numbers(store, name))]
    return [pair for pair in pairs if pair and not pair[0].deleted]


def finished_job(store, count, name="many"):
    for _ in range(count):
        tell(store, create(store, name).number, State.SUCCEEDED, name)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), st.just(0)),
        st.tuples(st.sampled_from(["run", "finish", "delete", "lose", "spoil"]), st.integers(1, 14)),
        st.tuples(st.sampled_from(["list", "keep"]), st.just(0)),
    ),
    max_size=40,
)


@given(ACTIONS, st.integers(2, 7))
@settings(deadline=None, max_examples=150)
def test_a_listing_is_what_the_records_say(actions, page):
    store = MemoryStore(page)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "SPAN", SPAN)
        patch.setattr(listing, "SPAN", SPAN)
        patch.setattr(numbers, "MANY", SPAN)
        patch.setattr(listing, "KEPT_UP", 2)
        patch.setattr(pages, "WORTH", 2)
        for action, number in actions:
            pair = read_version(store, "many", number) if number else None
            alive = pair and not pair[0].deleted
            page_key = f"jobs/many/pages/V{pages.first_of_page(max(number, 1)):04d}.json.gz"
            if action == "create":
                create(store)
            elif action == "run" and alive and not (pair[1] and pair[1].state.finished):
                tell(store, number, State.RUNNING)
            elif action == "finish" and alive and not (pair[1] and pair[1].state.finished):
                tell(store, number, State.FAILED)
            elif action == "delete" and alive:
                delete(store, [number])
            elif action == "lose":
                store.delete([page_key])
            elif action == "spoil" and pair:
                store.put(page_key, gzip.compress(b'{"finished": 7}') if number % 2 else b"\x1f\x8brubbish")
            elif action == "keep" and (found := newest(store, "many")):
                keep_pages_up(store, found[0])
            elif action == "list":
                assert read_versions(store, "many") == plainly(store)
        assert read_versions(store, "many") == plainly(store)
        assert last_number(store, "many") == max(version_numbers(store), default=0)
        assert newest(store, "many") == next(iter(plainly(store)), None)


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_readers_writers_and_deleters_step_by_step(data):
    store = MemoryStore(3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "SPAN", SPAN)
        patch.setattr(listing, "SPAN", SPAN)
        patch.setattr(numbers, "MANY", SPAN)
        patch.setattr(pages, "WORTH", 1)
        count = data.draw(st.integers(1, 6))
        finished_job(store, count)
        if data.draw(st.booleans()):
            read_versions(store, "many")
        obey(store)
        actors: list[Actor] = []
        deleted: set[int] = set()
        readers: list[tuple[Actor, set[int]]] = []
        deleters: list[tuple[Actor, int]] = []
        for _ in range(data.draw(st.integers(5, 50))):
            what = data.draw(st.sampled_from(["step"] * 8 + ["read", "delete", "create", "kill"]))
            deleted |= {number for actor, number in deleters if actor.over and actor.error is None}
            if what == "read":
                readers.append((Actor(store, lambda: read_versions(store, "many")), set(deleted)))
                actors.append(readers[-1][0])
            elif what == "delete":
                number = data.draw(st.integers(1, count))
                deleters.append((Actor(store, lambda number=number: delete(store, [number])), number))
                actors.append(deleters[-1][0])
            elif what == "create":
                actors.append(Actor(store, lambda: finished_job(store, 1)))
            elif going := [actor for actor in actors if not actor.over]:
                actor = data.draw(st.sampled_from(going))
                actor.kill() if what == "kill" else actor.step()
        for actor in actors:
            actor.finish()
        for reader, gone in readers:
            if reader.error is None:
                shown = {record.number for record, _ in reader.result}
                assert not shown & gone, "a listing that began after a deletion had ended shows the version"
                whole = all(status for record, status in reader.result if record.number <= count)
                assert whole, "a version that was deleted looks as if it never started"
        assert read_versions(store, "many") == plainly(store)
        assert read_versions(store, "many") == plainly(store)


def test_a_deleter_killed_at_any_request_leaves_a_version_or_none(tiny):
    for steps in range(12):
        store = MemoryStore(5)
        finished_job(store, 3)
        read_versions(store, "many")
        obey(store)
        deleter = Actor(store, lambda store=store: delete(store, [2]))
        for _ in range(steps):
            deleter.step()
        deleter.kill()
        before = plainly(store)
        assert read_versions(store, "many") == before
        assert all(status for _, status in before)
        delete(store, [2])
        assert [record.number for record, _ in read_versions(store, "many")] == [3, 1]
        assert list(left_of(store, "many", {2})) == []


def test_a_reader_that_was_asleep_while_a_version_was_deleted_does_not_bring_it_back(tiny):
    requests = 0
    store = MemoryStore()
    finished_job(store, 3)
    store.before = lambda request, key: None
    while True:
        store = MemoryStore()
        finished_job(store, 3)
        obey(store)
        reader = Actor(store, lambda store=store: read_versions(store, "many"))
        for _ in range(requests):
            reader.step()
        if reader.over:
            break
        sleeper = reader
        delete(store, [2])
        sleeper.finish()
        assert [record.number for record, _ in read_versions(store, "many")] == [3, 1]
        requests += 1
    assert requests > 5


def test_ten_thousand_versions_take_a_few_requests():
    store = MemoryStore()
    for number in range(1, 10_001):
        write(store, version_prefix("many", number) + "job.json", JobRecord(name="many", number=number, run="r"))
        tell(store, number, State.SUCCEEDED)
    whole = read_versions(store, "many")  # makes the pages
    store.requests = 0
    again = read_versions(store, "many")
    assert again == whole and [record.number for record, _ in whole] == list(range(10_000, 0, -1))
    assert store.requests < 100
    store.requests = 0
    assert last_number(store, "many") == 10_000
    assert get_record(store, "many", 7).number == 7
    assert store.requests < 150
    store.requests = 0
    tell(store, create(store).number, State.RUNNING)
    assert newest(store, "many")[0].number == 10_001
    assert store.requests < 200


def test_creators_keep_the_pages_so_that_a_first_listing_is_quick():
    store = MemoryStore()
    for _ in range(120):
        record = create(store)
        tell(store, record.number, State.SUCCEEDED)
        keep_pages_up(store, record)
    store.requests = 0
    assert len(read_versions(store, "many")) == 120
    assert store.requests < 2 * listing.KEPT_UP


def test_holes_that_somebody_made_by_hand(tiny):
    store = MemoryStore(5)
    finished_job(store, 40)
    for number in (3, 17, 18, 19, 40):
        store.delete([version_prefix("many", number) + name for name in ("job.json", "status.json")])
    expected = [number for number in range(39, 0, -1) if number not in (3, 17, 18, 19)]
    for _ in range(2):
        assert [record.number for record, _ in read_versions(store, "many")] == expected


def test_unfinished_versions_are_never_remembered(tiny):
    store = MemoryStore()
    finished_job(store, 9)
    running = create(store)
    tell(store, running.number, State.RUNNING)
    assert read_versions(store, "many")[0][1].state is State.RUNNING
    tell(store, running.number, State.FAILED)
    assert read_versions(store, "many")[0][1].state is State.FAILED
    assert read_versions(store, "many")[0][1].state is State.FAILED


def test_a_reader_who_may_not_write_lists_all_the_same(tiny):
    from orchestrator.errors import PermissionDeniedError

    store = MemoryStore()
    finished_job(store, 9)

    def refuse(request, key):
        if request.startswith("put"):
            raise PermissionDeniedError(key)

    store.before = refuse
    assert len(read_versions(store, "many")) == 9


def test_what_there_is_instead(tiny):
    store = MemoryStore()
    with pytest.raises(NotFoundError, match="there is no job 'many'"):
        get_record(store, "many", None)
    finished_job(store, 6)
    with pytest.raises(NotFoundError, match="has no version V0009; it has V0001 to V0006"):
        get_record(store, "many", 9)
    with pytest.raises(NotFoundError, match="did you mean many"):
        get_record(store, "mani", 1)
    delete(store, [2])
    with pytest.raises(NotFoundError, match="many/V0002 was deleted"):
        get_record(store, "many", 2)
    delete(store, range(1, 7))
    with pytest.raises(NotFoundError, match="all versions of job many were deleted"):
        get_record(store, "many", None)


def _live(folder, seed):
    """Create, finish, delete and list for a while, in a process of its own; return the deleted numbers."""
    rng = random.Random(seed)
    store = FileStore(folder)
    gone = set()
    until = time.monotonic() + 2.0
    while time.monotonic() < until or not gone:  # on a slow disk the first deletion may come late
        what = rng.choice(["create", "create", "delete", "list"])
        if what == "create":
            tell(store, create(store).number, State.SUCCEEDED)
        elif what == "delete" and (last := last_number(store, "many")):
            number = rng.randint(1, last)
            pair = read_version(store, "many", number)
            if pair and pair[1] and not pair[0].deleted:
                delete(store, [number])
                gone.add(number)
        else:
            shown = {record.number for record, status in read_versions(store, "many")}
            assert not shown & gone
    return gone


def test_processes_that_create_delete_and_list_at_once(tmp_path, tiny):
    store = FileStore(tmp_path / "store")
    with multiprocessing.get_context("fork").Pool(6) as pool:
        gone = set().union(*pool.starmap(_live, [(tmp_path / "store", seed) for seed in range(6)]))
    assert gone
    assert read_versions(store, "many") == plainly(store)
    numbers_now = version_numbers(store)
    assert numbers_now == list(range(1, numbers_now[-1] + 1))
    alive = {record.number for record, _ in plainly(store)}
    assert alive == set(numbers_now) - gone
    assert find(store, version_prefix("many", min(gone)) + "job.json", JobRecord).deleted
