"""Jobs in a queue of Kueue's, which only the stand-in has."""

from tests.kubernetes.clusters import open_cluster
from tests.kubernetes.manifests import job
from tests.kubernetes.standin import Settings
from tests.kubernetes.waiting import finished
from tests.waiting import wait_until


def test_jobs_wait_in_a_queue(tmp_path):
    with open_cluster(tmp_path / "c", Settings(gpus=4, kueue=True)) as cluster:
        cluster.standin.queue("team-a", {"nvidia.com/gpu": "2"})
        for name in ("first", "second", "third"):
            manifest = job(name, "sleep 1000" if name == "first" else "true")
            manifest["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "team-a"}
            limits = {"nvidia.com/gpu": 2}
            manifest["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": limits}
            cluster.call("POST", "apis/batch/v1:jobs", manifest)
        wait_until(lambda: cluster.get("jobs", "first")["status"].get("active"), "the first to run")
        uid = cluster.get("jobs", "third")["metadata"]["uid"]
        query = {"labelSelector": f"kueue.x-k8s.io/job-uid={uid}"}
        ask = "apis/kueue.x-k8s.io/v1beta1:workloads"
        (workload,) = wait_until(lambda: cluster.call("GET", ask, query=query).body["items"], "a workload")
        told = wait_until(lambda: cluster.get("workloads", workload["metadata"]["name"]).get("status"), "a status")
        (reserved,) = [item for item in told["conditions"] if item["type"] == "QuotaReserved"]
        assert reserved["status"] == "False"
        assert "insufficient unused quota for nvidia.com/gpu in flavor default, 2 more needed" in reserved["message"]
        pending = cluster.call(
            "GET", "apis/visibility.kueue.x-k8s.io/v1beta1:localqueues/team-a/pendingworkloads"
        ).body["items"]
        places = {item["metadata"]["name"]: item["positionInLocalQueue"] for item in pending}
        assert places[workload["metadata"]["name"]] == 1
        cluster.call("DELETE", "apis/batch/v1:jobs/first", {"propagationPolicy": "Background", "gracePeriodSeconds": 0})
        assert finished(cluster, "third")[0] == "Complete"


def test_without_kueue_there_is_no_such_resource(cluster, standin):
    assert cluster.call("GET", "apis/kueue.x-k8s.io/v1beta1:workloads").status == 404
