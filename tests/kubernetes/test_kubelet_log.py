"""A container's log, followed while connections break, files are set aside and nobody reads."""

import random
import time

import pytest

from orchestrator.backends.kubernetes import kubelet_log
from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.kubelet_log import KubeletLog
from orchestrator.config import Context
from tests.kubernetes.clusters import is_real, open_cluster
from tests.kubernetes.manifests import pod
from tests.kubernetes.standin import NodeSettings, Settings
from tests.kubernetes.waiting import phase
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(is_real(), reason="needs levers that a real cluster does not have")

REPEATED = "for i in $(seq 60); do echo same; echo same; printf 'bar %s\\r' $i; sleep 0.03; done; printf end"
CLIMB = "n=0; while :; do echo line $n; n=$((n+1)); sleep 0.01; done"
WRITTEN = b"".join(b"same\nsame\nbar %d\r" % number for number in range(1, 61)) + b"end"


def follow(cluster, script):
    """Start a pod with this script and give its log."""
    cluster.call("POST", "api/v1:pods", pod("p", script))
    phase(cluster, "p", "Running", "Succeeded")
    return KubeletLog(Api(Context(name="lab", store="s3://none", kubeconfig=str(cluster.kubeconfig))), "p", "main")


def read_on(log, size, *, step=1 << 18):
    """Read until so many bytes have come; stops where the log is gone."""
    got = b""
    while len(got) < size and (block := log.read(len(got), step)) is not None:
        got += block
        time.sleep(0 if block else 0.01)
    return got


@pytest.mark.parametrize("seed", range(2))
def test_connections_that_break_anywhere_leave_no_gap_and_no_duplicate(cluster, standin, seed):
    chosen = random.Random(seed)
    for n in range(8):
        standin.faults.cut_next("pods/log", chosen.randrange(2500), clean=n % 3 == 0)
    assert read_on(follow(cluster, REPEATED), len(WRITTEN)) == WRITTEN


def test_an_end_is_told(cluster):
    log = follow(cluster, "echo all")
    assert read_on(log, 4) == b"all\n"
    wait_until(lambda: log.size() is None, "the end")
    assert log.read(0, 4) is None


def test_a_file_set_aside_between_connections_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(kubelet_log, "FIRST_PAUSE", 3.0)
    with open_cluster(tmp_path / "c", Settings(node=NodeSettings(log_size=2000))) as cluster:
        go = tmp_path / "go"
        log = follow(cluster, f"echo begun; until [ -e {go} ]; do sleep 0.01; done; {CLIMB}")
        got = read_on(log, 6)
        cluster.standin.drop_connections(reset=True)
        go.touch()
        wait_until(lambda: log.size() is None, "the log to be given up")
        assert got == b"begun\n" and not log.read(len(got), 1 << 18)  # nothing from behind the gap


def test_a_file_set_aside_while_it_is_followed_is_whole(tmp_path):
    with open_cluster(tmp_path / "c", Settings(node=NodeSettings(log_size=4000))) as cluster:
        go = tmp_path / "go"
        log = follow(cluster, f"echo begun; until [ -e {go} ]; do sleep 0.01; done; {CLIMB}")
        assert read_on(log, 6) == b"begun\n"
        go.touch()
        whole = b"begun\n" + b"".join(b"line %d\n" % number for number in range(300))
        assert read_on(log, len(whole))[: len(whole)] == whole


def test_a_kubelet_that_fails_at_first_is_asked_again(cluster, standin):
    standin.faults.fail_next("get", "pods/log", 500, times=2)
    log = follow(cluster, "echo a; sleep 1000")
    assert read_on(log, 2) == b"a\n"


def test_a_burst_comes_whole_and_nobody_who_does_not_read_fills_the_memory(cluster, monkeypatch):
    monkeypatch.setattr(kubelet_log, "HELD", 1 << 20)
    monkeypatch.setattr(kubelet_log, "STALL", 5.0)  # a reader on a busy machine may be slow
    line = b"0123456789" * 10 + b"\n"
    script = f"yes {line.decode().strip()} | head -c 20200000; sleep 1000"
    log = follow(cluster, script)
    assert read_on(log, 5_000_000)[:5_000_000] == (line * 50_000)[:5_000_000]
    wait_until(lambda: log.size() is None, "it to be given up")
    assert not log._blocks


def test_the_api_server_away_is_waited_for(cluster, standin):
    log = follow(cluster, "echo before; sleep 2; echo after; sleep 1000")
    assert read_on(log, 7) == b"before\n"
    standin.down(seconds=3)
    assert read_on(log, 13) == b"before\nafter\n"
