"""What goes wrong in clusters, at the pull of a lever."""

import json
import subprocess
import sys
import threading
import time

import pytest
from kubernetes import client, watch
from urllib3.exceptions import HTTPError

from tests.kubernetes.clusters import Cluster, open_cluster
from tests.kubernetes.manifests import container, job, pod
from tests.kubernetes.standin import Image, NodeSettings, Settings, sandbox
from tests.kubernetes.waiting import condition, events, finished, phase, pods, waits
from tests.waiting import SECONDS, wait_until


def reason(error):
    return error.value.status, json.loads(error.value.body)["reason"]


def running(cluster, **more):
    """Start a Job that runs; gives its pod's name."""
    cluster.call("POST", "apis/batch/v1:jobs", job("j", "sleep 1000", **more))
    (made,) = wait_until(lambda: pods(cluster, "j"), "a pod")
    phase(cluster, made["metadata"]["name"], "Running")
    return made["metadata"]["name"]


def test_it_starts_quickly(tmp_path):
    with open_cluster(tmp_path / "first"):
        pass  # schemas are read once
    times = []
    for number in range(3):
        began = time.process_time()
        with open_cluster(tmp_path / str(number)):
            times.append(time.process_time() - began)
    assert min(times) < 0.3


@pytest.mark.parametrize("version", ["1.29", "1.36"])
def test_versions_know_their_fields(tmp_path, version):
    with open_cluster(tmp_path / "c", Settings(version=version)) as cluster:
        manifest = job("j", hostnameOverride="x")
        answer = cluster.call("POST", "apis/batch/v1:jobs", manifest, query={"fieldValidation": "Strict"})
        assert answer.status == (400 if version == "1.29" else 201), answer.body
        assert client.VersionApi(cluster.client).get_code().minor == version.partition(".")[2]


def test_a_wrong_token_is_refused(cluster, standin):
    wrong = Cluster(standin.kubeconfig(token="expired"), "default", standin)
    with pytest.raises(client.ApiException) as caught:
        wrong.core.list_namespaced_pod("default")
    assert reason(caught) == (401, "Unauthorized")


def test_a_forbidden_verb_is_told_as_rbac_does(cluster, standin):
    standin.faults.deny("get", "pods/log")
    cluster.call("POST", "api/v1:pods", pod("p"))
    answer = cluster.call("GET", "api/v1:pods/p/log")
    assert (answer.status, answer.body["message"]) == (
        403,
        'pods "p" is forbidden: User "system:serviceaccount:default:tester" cannot get resource "pods/log" '
        'in API group "" in the namespace "default"',
    )
    asked = {"verb": "get", "resource": "pods", "subresource": "log", "namespace": "default"}
    review = {"spec": {"resourceAttributes": asked}}
    api = client.AuthorizationV1Api(cluster.client)
    assert api.create_self_subject_access_review(review).status.allowed is False
    standin.faults.allow("get", "pods/log")
    assert api.create_self_subject_access_review(review).status.allowed is True


def test_failures_come_as_asked_and_calls_are_counted(cluster, standin):
    standin.faults.fail_next("list", "pods", 429, retry_after=7)
    answer = cluster.call("GET", "api/v1:pods")
    assert (answer.status, answer.headers["Retry-After"], answer.body["reason"]) == (429, "7", "TooManyRequests")
    for code in (500, 503, 504):
        standin.faults.fail_next("*", "*", code)
        assert cluster.call("GET", "api/v1:pods").status == code
    assert cluster.call("GET", "api/v1:pods").status == 200
    assert standin.faults.calls["list", "pods"] == 5
    standin.faults.fail_next("create", "configmaps", 504, after=True)
    manifest = {"metadata": {"name": "c"}}
    assert cluster.call("POST", "api/v1:configmaps", manifest).status == 504
    assert cluster.call("GET", "api/v1:configmaps/c").status == 200  # it was done all the same


def test_a_watch_tells_changes_bookmarks_and_its_end(tmp_path):
    with open_cluster(tmp_path / "c", Settings(bookmark_every=0.05)) as cluster:
        told = []
        stream = watch.Watch().stream(
            cluster.core.list_namespaced_config_map, "default", allow_watch_bookmarks=True, label_selector="a=b"
        )
        manifest = {"metadata": {"name": "c", "labels": {"a": "b"}}}
        cluster.call("POST", "api/v1:configmaps", manifest)
        for event in stream:
            told.append(event["type"])
            if event["type"] == "ADDED":
                change = {"metadata": {"labels": {"a": "c"}}}
                cluster.call("PATCH", "api/v1:configmaps/c", change, kind="application/merge-patch+json")
            if told[-1] == "BOOKMARK" and "DELETED" in told:
                break
        assert [kind for kind in told if kind != "BOOKMARK"] == ["ADDED", "DELETED"]
        began = time.monotonic()
        answer = cluster.core.list_namespaced_pod("default", watch=True, timeout_seconds=1, _preload_content=False)
        assert answer.data == b"" and time.monotonic() - began >= 1


def test_an_old_resource_version_is_expired(cluster, standin):
    revision = cluster.core.list_namespaced_pod("default", limit=1).metadata.resource_version
    standin.expire_history()
    cluster.call("POST", "api/v1:configmaps", {"metadata": {"name": "c"}})
    answer = cluster.core.list_namespaced_pod(
        "default", watch=True, resource_version=revision, _preload_content=False, timeout_seconds=5
    )
    error = json.loads(answer.data)
    assert (error["type"], error["object"]["code"], error["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert error["object"]["message"].startswith(f"too old resource version: {revision}")


def test_an_old_continue_token_is_expired(cluster, standin):
    for name in "ab":
        cluster.call("POST", "api/v1:configmaps", {"metadata": {"name": name}})
    token = cluster.core.list_namespaced_config_map("default", limit=1).metadata._continue
    standin.expire_history()
    with pytest.raises(client.ApiException) as caught:
        cluster.core.list_namespaced_config_map("default", _continue=token)
    assert reason(caught) == (410, "Expired")


def test_connections_break(cluster, standin):
    answer = cluster.core.list_namespaced_pod("default", watch=True, _preload_content=False)
    standin.drop_connections()
    with pytest.raises(HTTPError):
        answer.read()
    assert cluster.call("GET", "api/v1:pods").status == 200


def test_the_server_is_away_and_comes_back(cluster, standin):
    standin.down()
    with pytest.raises(HTTPError):
        cluster.core.list_namespaced_pod("default")
    standin.up()
    standin.down(0.5)

    def ask():
        try:
            return cluster.core.list_namespaced_pod("default")
        except HTTPError:
            return None

    wait_until(ask, "the server to come back")


def test_memory_is_short(cluster, standin):
    standin.oom(running(cluster))
    assert finished(cluster, "j")[0] == "Failed"
    ended = pods(cluster, "j")[0]["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


def disrupted(cluster, name):
    """Wait until a pod has failed for a disruption; gives the reason."""
    obj = phase(cluster, name, "Failed")
    return condition(obj, "DisruptionTarget")["reason"], obj["status"].get("reason")


def test_eviction(cluster, standin):
    name = running(cluster)
    standin.evict(name)
    assert disrupted(cluster, name) == ("TerminationByKubelet", "Evicted")
    assert events(cluster, name)["Evicted"].startswith("The node was low on resource: memory. ")
    assert finished(cluster, "j")[0] == "Failed"


@pytest.mark.parametrize("how", ["preempt", "drain", "lose_node"])
def test_a_disrupted_pod_is_replaced_and_does_not_count(cluster, standin, how):
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    name = running(cluster, spec={"backoffLimit": 0, "podFailurePolicy": {"rules": [rule]}})
    standin.add_node("node-2")
    getattr(standin, how)("node-1" if how != "preempt" else name)
    wait_until(lambda: [p for p in pods(cluster, "j") if p["metadata"]["name"] != name], "another pod")
    wait_until(lambda: cluster.call("GET", f"api/v1:pods/{name}").status == 404, "the first pod to go")
    (second,) = pods(cluster, "j")
    obj = phase(cluster, second["metadata"]["name"], "Running")
    assert obj["spec"]["nodeName"] == ("node-1" if how == "preempt" else "node-2") or how == "preempt"
    assert not cluster.get("jobs", "j")["status"].get("failed")


def test_a_node_that_nobody_hears_of(cluster, standin):
    name = running(cluster)
    standin.lose_node("node-1", unreachable=True, evict_after=0.2)
    obj = wait_until(
        lambda: (got := cluster.get("pods", name)) and condition(got, "DisruptionTarget") and got, "eviction"
    )
    assert condition(obj, "DisruptionTarget")["reason"] == "DeletionByTaintManager"
    assert obj["status"]["phase"] == "Running" and "running" in obj["status"]["containerStatuses"][0]["state"]
    assert condition(cluster.core.read_node("node-1").to_dict(), "Ready") is None
    answer = cluster.call("GET", f"api/v1:pods/{name}/log")
    assert answer.status == 500 and "connection refused" in answer.body["message"]


@pytest.mark.parametrize(
    ("lever", "words"),
    [("image_missing", "docker.io/library/gone:1: not found"), ("image_denied", "pull access denied")],
)
def test_an_image_that_cannot_be_had(cluster, standin, lever, words):
    getattr(standin, lever)("gone:1")
    manifest = pod("p")
    manifest["spec"]["containers"][0]["image"] = "gone:1"
    cluster.call("POST", "api/v1:pods", manifest)
    state = waits(cluster, "p", "ImagePullBackOff")
    assert state["message"].startswith('Back-off pulling image "gone:1": ErrImagePull: ') and words in state["message"]
    assert events(cluster, "p")["Failed"] == "Error: ImagePullBackOff"
    standin.image_there("gone:1")
    phase(cluster, "p", "Succeeded")


def test_an_image_without_a_shell(cluster, standin):
    standin.image("bare", Image(shell=False))
    manifest = pod("p")
    manifest["spec"]["containers"][0] |= {"image": "bare:1", "command": ["/bin/sh", "-c", "true"]}
    cluster.call("POST", "api/v1:pods", manifest)
    ended = phase(cluster, "p", "Failed")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["reason"] == "StartError" and 'exec: "/bin/sh": stat /bin/sh: no such file' in ended["message"]


def test_an_images_own_environment(cluster, standin):
    standin.image("engine", Image(environment={"PATH": "/opt/engine/bin:/usr/bin:/bin", "ENGINE": "yes"}))
    manifest = pod("p", "echo $ENGINE $PATH; env | grep -c MLCTL")
    manifest["spec"]["containers"][0]["image"] = "registry.lab:5000/ml/engine:1.9"
    cluster.call("POST", "api/v1:pods", manifest)
    phase(cluster, "p", "Failed")
    assert cluster.core.read_namespaced_pod_log("p", "default") == "yes /opt/engine/bin:/usr/bin:/bin\n0\n"


def test_nodes_and_why_each_does_not_fit(tmp_path):
    with open_cluster(tmp_path / "c", Settings(nodes=1, gpus=2)) as cluster:
        standin = cluster.standin
        standin.add_node("node-2", gpus=4)
        standin.taint("node-2", "team", "b")
        standin.add_node("node-3")
        standin.add_node("node-4", gpus=4)
        cluster.core.patch_node("node-4", {"spec": {"unschedulable": True}})
        manifest = pod("p", "sleep 1000")
        manifest["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": 2}}
        cluster.call("POST", "api/v1:pods", manifest)
        phase(cluster, "p", "Running")
        manifest["metadata"]["name"] = "q"
        cluster.call("POST", "api/v1:pods", manifest)
        message = wait_until(lambda: events(cluster, "q").get("FailedScheduling"), "an event")
        assert message == (
            "0/4 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, 2 Insufficient "
            "nvidia.com/gpu. no new claims to deallocate, preemption: 0/4 nodes are available: 1 No preemption victims "
            "found for incoming pod, 3 Preemption is not helpful for scheduling."
        )
        cluster.call("DELETE", "api/v1:pods/p", {"gracePeriodSeconds": 0})
        phase(cluster, "q", "Running")


def test_many_pods_without_processes(tmp_path):
    settings = Settings(nodes=2, node=NodeSettings(hollow=True))
    with open_cluster(tmp_path / "c", settings) as cluster:
        for number in range(100):
            cluster.call("POST", "apis/batch/v1:jobs", job(f"j-{number}"))
        ask = cluster.core.list_namespaced_pod
        wait_until(lambda: len(ask("default", field_selector="status.phase=Running").items) == 100, "all to run")


def test_threads_create_all_and_each_once(cluster, standin):
    codes = []

    def create(number):
        for name in ("same", f"own-{number}"):
            codes.append(cluster.call("POST", "api/v1:configmaps", {"metadata": {"name": name}}).status)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [201] * 11 + [409] * 9


def test_nothing_outlives_it(tmp_path):
    with open_cluster(tmp_path / "c", Settings()) as cluster:
        mark = f"sleep {time.time_ns()}"
        manifest = pod("p", f"trap '' TERM; setsid {mark} & {mark}")
        manifest["spec"]["initContainers"] = [container("sync", mark, restartPolicy="Always")]
        cluster.call("POST", "api/v1:pods", manifest)
        phase(cluster, "p", "Running")
        shown = subprocess.run(["ps", "axo", "args"], capture_output=True, text=True).stdout
        assert mark in shown
    assert mark not in subprocess.run(["ps", "axo", "args"], capture_output=True, text=True).stdout


def test_it_runs_as_a_program():
    command = [sys.executable, "-m", "tests.kubernetes.standin", "--nodes", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        path = line.strip().removeprefix("export KUBECONFIG=")
        assert len(Cluster(path, "default", None).core.list_node().items) == 1
        process.send_signal(2)
        assert process.wait(SECONDS) == 0


def test_a_machine_without_namespaces(cluster, standin, monkeypatch):
    monkeypatch.setattr(sandbox, "kind", lambda: "plain")
    script = "echo saved > /mlctl/out; cat /mlctl/out; sleep 1000 & exit 5"
    manifest = pod("p", script, volumes=[{"name": "v", "emptyDir": {}}])
    manifest["spec"]["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": "/mlctl"}]
    cluster.call("POST", "api/v1:pods", manifest)
    ended = phase(cluster, "p", "Failed")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["exitCode"] == 5
    assert cluster.core.read_namespaced_pod_log("p", "default") == "saved\n"
