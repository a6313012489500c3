"""Logs as the kubelet serves them; the same on the stand-in and a real cluster, but for rotation."""

import pytest
from urllib3.exceptions import HTTPError

from tests.kubernetes.clusters import is_real, open_cluster
from tests.kubernetes.manifests import container, pod
from tests.kubernetes.standin import NodeSettings, Settings
from tests.kubernetes.waiting import phase, waits
from tests.waiting import wait_until

CLIMB = "n=0; while :; do echo line $n; n=$((n+1)); sleep 0.01; done"


def log(cluster, pod, container="main", **more):
    return cluster.core.read_namespaced_pod_log(pod, cluster.namespace, container=container, **more)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "".join(f"line {n}\n" for n in range(5))),
        ({"tail_lines": 2}, "line 3\nline 4\n"),
        ({"tail_lines": 0}, ""),
        ({"limit_bytes": 9}, "line 0\nli"),
        ({"since_seconds": 3600, "tail_lines": 1}, "line 4\n"),
    ],
    ids=["all", "tail", "none", "bytes", "since"],
)
def test_parts_of_logs(cluster, options, expected):
    cluster.call("POST", "api/v1:pods", pod("p", "for n in 0 1 2 3 4; do echo line $n; done"))
    phase(cluster, "p", "Succeeded")
    assert log(cluster, "p", **options) == expected


def test_logs_are_followed_byte_by_byte_to_the_end(cluster):
    script = (
        "printf no-newline; sleep 0.3; echo; echo x | head -c 1; head -c 40000 /dev/zero | tr '\\0' y; echo; echo end"
    )
    cluster.call("POST", "api/v1:pods", pod("p", script))
    phase(cluster, "p", "Running", "Succeeded")
    stream = cluster.core.read_namespaced_pod_log("p", cluster.namespace, follow=True, _preload_content=False)
    assert stream.data == b"no-newline\nx" + b"y" * 40000 + b"\nend\n"
    stamped = log(cluster, "p", timestamps=True).splitlines()
    assert [line.split(" ", 1)[1][:10] for line in stamped] == ["no-newline", "x" + "y" * 9, "end"]


def test_logs_that_are_not_there(cluster):
    manifest = pod("p", "sleep 1000")
    manifest["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "late"}}]
    manifest["spec"]["containers"].append(container("second", "sleep 1000"))
    cluster.call("POST", "api/v1:pods", manifest)
    waits(cluster, "p", "CreateContainerConfigError")
    answer = cluster.call("GET", "api/v1:pods/p/log", query={"container": "main"})
    assert answer.status == 400
    assert answer.body["message"] == 'container "main" in pod "p" is waiting to start: CreateContainerConfigError'
    answer = cluster.call("GET", "api/v1:pods/p/log")
    assert answer.status == 400
    assert answer.body["message"] == "a container name must be specified for pod p, choose one of: [main second]"
    answer = cluster.call("GET", "api/v1:pods/p/log", query={"container": "third"})
    assert (answer.status, answer.body["message"]) == (400, "container third is not valid for pod p")
    answer = cluster.call("GET", "api/v1:pods/p/log", query={"container": "second", "previous": "true"})
    assert answer.status == 400
    assert answer.body["message"] == 'previous terminated container "second" in pod "p" not found'
    assert cluster.call("GET", "api/v1:pods/none/log").status == 404


@pytest.mark.parametrize("clean", [False, True], ids=["broken", "ended"])
def test_a_log_is_cut_at_any_byte(cluster, standin, clean):
    cluster.call("POST", "api/v1:pods", pod("p", "echo 0123456789"))
    phase(cluster, "p", "Succeeded")
    for size in (0, 1, 4, 10):
        standin.faults.cut_next("pods/log", size, clean=clean)
        answer = cluster.core.read_namespaced_pod_log("p", "default", follow=True, _preload_content=False)
        got = b""
        try:
            for piece in answer.stream(1):
                got += piece
            assert clean
        except HTTPError:
            assert not clean
        assert got == b"0123456789"[:size]


@pytest.mark.skipif(is_real(), reason="rotation takes megabytes there")
def test_a_log_that_is_rotated_while_it_is_followed_is_whole(tmp_path):
    with open_cluster(tmp_path / "c", Settings(node=NodeSettings(log_size=2000))) as cluster:
        go = tmp_path / "go"
        cluster.call("POST", "api/v1:pods", pod("p", f"echo begun; until [ -e {go} ]; do sleep 0.01; done; {CLIMB}"))
        phase(cluster, "p", "Running")
        stream = cluster.core.read_namespaced_pod_log("p", "default", follow=True, _preload_content=False)
        read = b""
        for piece in stream.stream(1000):
            read += piece
            go.touch()
            if read.count(b"\n") > 200:
                break
        first, *lines = read.splitlines()[:-1]
        assert first == b"begun" and lines == [b"line %d" % n for n in range(len(lines))]
        late = wait_until(lambda: cluster.core.read_namespaced_pod_log("p", "default").splitlines(), "a line of it")
        assert len(late) < 200 and late[0] != "begun"  # only the newest file is served
