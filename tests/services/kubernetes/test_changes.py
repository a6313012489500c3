"""Changes of a service's objects: what cannot be is refused beforehand, what fails is taken back whole."""

import base64

import pytest

from orchestrator.client import Client
from orchestrator.errors import PermissionDeniedError, PreflightError
from orchestrator.services.kubernetes.await_ready import await_ready
from orchestrator.services.state import ServiceState
from tests.kubernetes.clusters import Cluster
from tests.kubernetes.standin import Standin
from tests.kubernetes.standin.resources import named
from tests.services.kubernetes.test_services import Notes, answer_of, asked_all_the_time, deploy, objects_of
from tests.waiting import wait_until

KINDS = ("deployments", "services", "secrets", "poddisruptionbudgets", "horizontalpodautoscalers", "ingresses")


def specs_of(standin: Standin) -> list[object]:
    """Return what was asked of the objects of services."""
    found = [one for kind in KINDS for one in standin.objects(kind) if "mlctl/service" in one["metadata"]["labels"]]
    return [(one["kind"], one["metadata"]["name"], one.get("spec"), one.get("data")) for one in found]


def test_a_change_that_fails_is_taken_back_with_all_that_was_said_of_pods(client, model, standin: Standin):
    deploy(client, model("one"), shape={"max_replicas": 3, "ingress": "echo.lab"})
    before = specs_of(standin)
    wrong = {"replicas": 2, "max_replicas": 9, "ingress": "other.lab"}
    with pytest.raises(PreflightError, match="No module named 'nowhere'"):
        deploy(client, model("two", source="import nowhere"), shape=wrong)
    assert specs_of(standin) == before
    with pytest.raises(PreflightError, match="No module named 'nowhere'"):
        deploy(client, model("three", source="import nowhere"), shape={"max_replicas": 0, "ingress": ""})
    assert specs_of(standin) == before


def test_a_token_is_shown_to_the_cluster_when_it_lets_in(client, model, standin: Standin, monkeypatch):
    _, first = deploy(client, model("one"))

    def shown() -> str:
        secret = standin.store.get(named("secrets"), "default", "echo-token").value
        return base64.b64decode(secret["data"]["token"]).decode()

    assert shown() == first
    with monkeypatch.context() as late, pytest.raises(PreflightError, match="not ready after 0 s"):
        late.setattr("orchestrator.services.kubernetes.await_ready.PATIENCE", 0)
        client.services.new_token("echo")
    assert (shown(), answer_of(client)) == (first, "one")
    assert client.services.new_token("echo") == shown() != first


def test_without_the_gateway_api_nothing_is_changed(client, model, standin: Standin):
    standin.lack("gateway.networking.k8s.io")
    with pytest.raises(PreflightError, match="has no HTTPRoutes, which --gateway makes") as caught:
        deploy(client, model("one"), shape={"gateway": "web"})
    assert "--ingress HOST" in caught.value.hint
    assert (objects_of(standin), client.services.list()) == (set(), [])
    deploy(client, model("two"))
    before = standin.objects("deployments")[0]["metadata"]["generation"]
    with pytest.raises(PreflightError, match="has no HTTPRoutes"):
        deploy(client, model("three"), shape={"gateway": "web"})
    assert standin.objects("deployments")[0]["metadata"]["generation"] == before


def test_who_names_a_gateway_that_is_not_there_is_told(client, model, standin: Standin, monkeypatch):
    deploy(client, model("one"), shape={"gateway": "web"})
    assert client.services.get("echo").problem == ""
    monkeypatch.setattr("orchestrator.services.kubernetes.rollout.ROUTED", -60.0)
    view = client.services.get("echo")
    assert (view.state, "there is no Gateway web" in view.problem) == (ServiceState.RUNNING, True)


def test_a_right_that_is_missing_is_told_before_anything_is_changed(client, model, standin: Standin):
    deploy(client, model("one"))
    standin.faults.denied.add(("patch", "ingresses"))
    standin.faults.denied.add(("create", "ingresses"))
    before = specs_of(standin)
    with pytest.raises(PermissionDeniedError, match="ingresses") as caught:
        deploy(client, model("two"), shape={"ingress": "echo.lab"})
    assert "your Role lacks this rule" in caught.value.hint
    assert specs_of(standin) == before


def test_who_asks_for_an_autoscaler_is_told_that_there_is_no_metrics_server(client, model, standin: Standin):
    told = Notes()
    view, _ = deploy(Client("lab", reporter=told), model("one"), shape={"max_replicas": 3})
    assert any("no metrics server" in note for note in told.notes)
    assert (view.state, view.problem, view.replicas) == (ServiceState.RUNNING, "", 1)
    standin.api.edit(named("horizontalpodautoscalers"), "default", "echo", measure_nothing)
    assert client.services.get("echo").problem == "more load makes no more replicas: no metrics"
    standin.faults.denied.add(("get", "horizontalpodautoscalers"))
    assert client.services.get("echo").problem == ""


def test_an_autoscaler_that_is_not_wanted_goes_before_it_can_undo_the_number(client, model, standin, monkeypatch):
    deploy(client, model("one"), shape={"max_replicas": 3})
    seen = []

    def look(*given: object) -> None:
        seen.append(standin.objects("horizontalpodautoscalers"))
        await_ready(*given)

    monkeypatch.setattr("orchestrator.services.kubernetes.runner.await_ready", look)
    deploy(client, model("two"), shape={"max_replicas": 0})
    assert seen == [[]]


def test_pods_are_evicted_one_at_a_time(client, model, cluster: Cluster, standin: Standin):
    deploy(client, model("one"), shape={"replicas": 2})

    def evict(pod: str) -> int:
        wanted = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        return cluster.call("POST", f"api/v1:pods/{pod}/eviction", wanted).status

    first, second = (pod["metadata"]["name"] for pod in standin.objects("pods"))
    with asked_all_the_time(client) as answers:
        assert [evict(first), evict(second)] == [201, 429]
        wait_until(lambda: evict(second) == 201)  # when another has taken the place of the first
    assert {status for status, _ in answers} == {200}, answers


def measure_nothing(autoscaler: dict) -> None:
    condition = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"}
    condition |= {"message": "no metrics", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    autoscaler["status"] = {"conditions": [condition]}
