"""Deployments and Services of the stand-in: rolling updates, probes, the API server's proxy."""

import sys
import threading
from typing import Any

from kubernetes.client import ApiException

from tests.kubernetes.clusters import Cluster
from tests.kubernetes.standin import Standin
from tests.kubernetes.standin.resources import Object
from tests.waiting import wait_until

SERVER = """
import http.server, os, signal, sys, threading
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            type(self).sick = True
        text = sys.argv[1].encode()
        self.send_response(500 if getattr(self, "sick", False) and self.path == "/live" else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
server = http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Answer)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"""
APPLY = {"fieldManager": "test", "force": "true"}


def deployment(answer: str, **spec: Any) -> Object:
    labels, asked = {"app": "web"}, {"httpGet": {"path": "/", "port": "http"}}
    server = {
        "name": "server",
        "image": "busybox",
        "command": [sys.executable, "-c", SERVER, answer],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "startupProbe": {**asked, "periodSeconds": 1, "failureThreshold": 600},
        "readinessProbe": {**asked, "periodSeconds": 1, "timeoutSeconds": 60},
        "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}, "periodSeconds": 1, "timeoutSeconds": 60},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "0.2"]}}},
    }
    template = {
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 5, "containers": [server]},
    }
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": labels}, "strategy": strategy, "template": template, **spec},
    }


def apply(cluster: Cluster, obj: Object) -> Object:
    plural = {"Deployment": "apis/apps/v1:deployments", "Service": "api/v1:services"}[obj["kind"]]
    answer = cluster.call(
        "PATCH", f"{plural}/{obj['metadata']['name']}", obj, query=APPLY, kind="application/apply-patch+yaml"
    )
    assert answer.status in (200, 201), answer.body
    return answer.body


def serve(cluster: Cluster) -> None:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    spec = {"selector": {"app": "web"}, "ports": ports}
    apply(cluster, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})


def ask(cluster: Cluster, path: str = "") -> str:
    url = f"/api/v1/namespaces/{cluster.namespace}/services/web:http/proxy/{path}"
    return cluster.client.call_api(
        url, "GET", auth_settings=["BearerToken"], response_type="str", _return_http_data_only=True
    )


def answers(cluster: Cluster) -> str:
    try:
        return ask(cluster)
    except ApiException:
        return ""


def is_done(cluster: Cluster, updated: int) -> bool:
    obj = cluster.get("deployments", "web")
    status = obj["status"]
    current = status.get("observedGeneration") == obj["metadata"]["generation"]
    counts = [status.get(field) for field in ("replicas", "updatedReplicas", "availableReplicas")]
    return current and counts == [updated] * 3


def test_a_rolling_update_loses_no_request(cluster: Cluster, standin: Standin) -> None:
    assert cluster.call("GET", "api/v1:services/web/proxy/").status == 404
    serve(cluster)
    assert "no endpoints available" in cluster.call("GET", "api/v1:services/web:http/proxy/").body["message"]
    apply(cluster, deployment("one", replicas=2))
    wait_until(lambda: is_done(cluster, 2))
    answers: list[str] = []
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            answers.append(ask(cluster))

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        wait_until(lambda: len(answers) > 10)
        apply(cluster, deployment("two", replicas=2))
        wait_until(lambda: is_done(cluster, 2))
        more = len(answers) + 10
        wait_until(lambda: len(answers) > more)
    finally:
        over.set()
        thread.join()
    assert set(answers) == {"one", "two"}
    assert set(answers[-10:]) == {"two"}


def test_pods_that_do_not_become_ready_leave_the_old_ones(cluster: Cluster, standin: Standin) -> None:
    serve(cluster)
    apply(cluster, deployment("one"))
    wait_until(lambda: is_done(cluster, 1))
    broken = deployment("two", progressDeadlineSeconds=1)
    broken["spec"]["template"]["spec"]["containers"][0]["command"] = ["false"]
    apply(cluster, broken)

    def has_given_up() -> bool:
        conditions = cluster.get("deployments", "web")["status"]["conditions"]
        return any(item.get("reason") == "ProgressDeadlineExceeded" for item in conditions)

    wait_until(has_given_up)
    assert ask(cluster) == "one"


def test_what_is_not_applied_again_goes_and_what_does_not_live_is_started_again(
    cluster: Cluster, standin: Standin
) -> None:
    serve(cluster)
    obj = deployment("one")
    obj["spec"]["template"]["spec"]["initContainers"] = [{"name": "before", "image": "busybox", "command": ["true"]}]
    apply(cluster, obj)
    apply(cluster, deployment("one"))
    wait_until(lambda: is_done(cluster, 1))
    (pod,) = [one for one in standin.objects("pods") if "deletionTimestamp" not in one["metadata"]]
    assert "initContainers" not in pod["spec"]
    ask(cluster, "die")
    name = pod["metadata"]["name"]
    wait_until(lambda: cluster.get("pods", name)["status"]["containerStatuses"][0]["restartCount"] == 1)
    wait_until(lambda: answers(cluster) == "one")
    wait_until(lambda: is_done(cluster, 1))
    cluster.call("DELETE", "apis/apps/v1:deployments/web", query={"propagationPolicy": "Foreground"})
    wait_until(lambda: not standin.objects("deployments") and not standin.objects("pods"))
