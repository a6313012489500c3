"""A copy of a collection that is kept up: right, or an error, whatever becomes of the watch."""

import time

import pytest

from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.mirror import Mirror
from orchestrator.backends.kubernetes.refusals import TroubleError
from orchestrator.config import Context
from orchestrator.errors import ClusterError
from tests.kubernetes.clusters import open_cluster
from tests.kubernetes.standin import Settings
from tests.kubernetes.standin.resources import CONFIG_MAPS
from tests.waiting import wait_until


class Kept:
    """A copy of the ConfigMaps that have a label."""

    def __init__(self, cluster):
        self.cluster = cluster
        api = Api(Context(name="lab", store="s3://none", kubeconfig=str(cluster.kubeconfig)))
        self.mirror = Mirror(api, api.path("v1/configmaps"), "kept=yes")
        self.mirror.groups(age=1)
        self.mirror.follow()

    def add(self, name):
        metadata = {"name": name, "labels": {"kept": "yes"}}
        assert self.cluster.call("POST", "api/v1:configmaps", {"metadata": metadata}).status == 201

    def names(self):
        try:
            return set(self.mirror.groups(age=1))
        except ClusterError:  # said, not hidden
            return None

    def becomes(self, *names):
        wait_until(lambda: self.names() == set(names), f"{names} to be all")


@pytest.fixture
def kept(cluster):
    found = Kept(cluster)
    yield found
    found.mirror.stop()


def test_one_list_and_one_watch_are_enough(kept, standin):
    wait_until(lambda: standin.faults.calls["watch", "configmaps"], "the watch")
    for name in "abc":
        kept.add(name)
    kept.becomes("a", "b", "c")
    kept.cluster.call("DELETE", "api/v1:configmaps/b")
    kept.becomes("a", "c")
    assert standin.faults.calls["list", "configmaps"] == standin.faults.calls["watch", "configmaps"] == 1


def test_many_jobs_are_seen_by_two_calls_however_long_that_takes(cluster, standin, monkeypatch):
    monkeypatch.setattr("orchestrator.backends.kubernetes.cluster.FRESH", 0.0)
    many = Cluster(Api(Context(name="lab", store="s3://none", kubeconfig=str(cluster.kubeconfig))))
    begun = time.monotonic()
    for number in range(20):
        many.seen(f"job-{number}", closely=False, since=begun)
    assert standin.faults.calls["list", "jobs"] == standin.faults.calls["list", "pods"] == 1
    many.seen("job-1", closely=False)
    assert standin.faults.calls["list", "jobs"] == 2  # who looks again wants to know what is new


def test_it_goes_on_after_whatever_ends_the_watch(kept, standin):
    standin.faults.fail_next("watch", "configmaps", 429)
    standin.faults.fail_next("list", "configmaps", 503)
    standin.drop_connections(reset=True)
    kept.add("a")
    kept.becomes("a")
    standin.expire_history()
    standin.drop_connections()
    kept.add("b")
    kept.becomes("a", "b")


def test_a_broken_watch_goes_on_from_the_last_event(kept, standin):
    wait_until(lambda: standin.faults.calls["watch", "configmaps"], "the watch")
    for number, reset in enumerate([False, True]):
        standin.faults.fail_next("watch", "configmaps", 503)
        standin.drop_connections(reset=reset)
        kept.add(f"{number}")
        kept.becomes(*map(str, range(number + 1)))
    kept.cluster.call("DELETE", "api/v1:configmaps/0")
    kept.becomes("1")
    assert standin.faults.calls["list", "configmaps"] == 1


def test_a_broken_watch_goes_on_from_the_last_bookmark_however_old_the_last_event_is(tmp_path):
    with open_cluster(tmp_path, Settings(bookmark_every=0.2)) as cluster:
        kept, standin = Kept(cluster), cluster.standin
        for number in range(5):  # of no interest to it
            assert cluster.call("POST", "api/v1:secrets", {"metadata": {"name": f"{number}"}}).status == 201

        def forget():
            with standin.store.locked():
                told = kept.mirror._version == str(standin.store.revision)
                if told:
                    standin.store.forgotten = standin.store.revision  # compacted, as etcd is
                return told

        wait_until(forget, "a bookmark")
        standin.drop_connections()
        kept.add("a")
        kept.becomes("a")
        assert standin.faults.calls["list", "configmaps"] == 1
        kept.mirror.stop()


def test_a_list_is_made_anew_only_when_the_watch_cannot_go_on(kept, standin):
    wait_until(lambda: standin.faults.calls["watch", "configmaps"], "the watch")
    standin.down()
    assert standin.api.create(CONFIG_MAPS, "default", {"metadata": {"name": "a", "labels": {"kept": "yes"}}})
    standin.expire_history()
    standin.up()
    kept.becomes("a")
    assert standin.faults.calls["list", "configmaps"] == 2


def test_an_api_server_that_is_away_is_told(kept, standin):
    wait_until(lambda: standin.faults.calls["watch", "configmaps"], "the watch")
    kept.add("a")
    kept.becomes("a")
    standin.down()
    wait_until(lambda: kept.names() is None, "that to be told")
    with pytest.raises(TroubleError, match="cannot be reached"):
        kept.mirror.groups(age=1)
    standin.up()
    kept.add("b")
    kept.becomes("a", "b")
