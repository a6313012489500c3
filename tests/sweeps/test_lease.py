"""One process looks after a sweep."""

import time

import pytest

from orchestrator.errors import ConflictError
from orchestrator.progress import SILENT
from orchestrator.store import open_store
from orchestrator.store.records import encode
from orchestrator.sweeps import lease
from orchestrator.sweeps.lease import LEASE, Held, LeaseLostError, acquire, adopt, look
from tests.waiting import SECONDS, wait_until

PREFIX = "sweeps/s/V0001/"


@pytest.fixture
def store(store_url, monkeypatch):
    monkeypatch.setattr(lease, "BEAT", 0.05)
    monkeypatch.setattr(lease, "STALE", 1.5)
    monkeypatch.setattr(lease, "POLL", 0.05)
    return open_store(store_url)


def take(store):
    return acquire(store, PREFIX, "s", author="me@here", reporter=SILENT)


def elsewhere(store, **fields):
    """Let a process of another machine hold it."""
    store.put(PREFIX + LEASE, encode(Held(holder="other", machine="another", author="you@there", **fields)))


def test_who_is_alive_elsewhere_keeps_it_whatever_the_clocks_say(store, monkeypatch):
    monkeypatch.setattr(lease, "STALE", SECONDS)  # the disk may be slow
    elsewhere(store, time=0.0)
    theirs = adopt(store, PREFIX, "other")
    theirs.keep_up()
    try:
        with pytest.raises(ConflictError, match="looked after already, by you@there"):
            take(store)
        theirs.require()
    finally:
        theirs.release()
    take(store).require()  # what was given back is free at once


def test_a_dead_one_is_taken_over_and_learns_it(store):
    elsewhere(store, time=time.time() + 9999)
    theirs = adopt(store, PREFIX, "other")
    mine = take(store)
    with pytest.raises(LeaseLostError):
        theirs._renew()
        theirs.require()
    theirs.release()  # which leaves it to its new holder
    mine.require()
    found = look(store, PREFIX + LEASE)
    assert found and found[0].holder == mine.holder


def test_the_thread_learns_that_it_is_lost(store):
    mine = take(store)
    mine.keep_up()
    elsewhere(store)

    def lost():
        try:
            mine.require()
        except LeaseLostError:
            return True
        return False

    wait_until(lost)
    with pytest.raises(LeaseLostError):
        adopt(store, PREFIX, mine.holder)
