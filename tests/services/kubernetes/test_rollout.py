"""Why pods of a service do not become ready, from what a cluster shows."""

import pytest

from orchestrator.backends.kubernetes.pods import seconds
from orchestrator.services.kubernetes.rollout import MEASURED, ROUTED, is_done, not_growing, not_routed, trouble
from tests.backends.kubernetes.objects import ended, event, node, pod, stamp, unscheduled, waits

FRONT = {"containers": [{"name": "front", "image": "mlctl/runtime:1"}]}
INIT = {"initContainers": [{"name": "fetch", "image": "mlctl/runtime:1"}, {"name": "model-1", "image": "mlctl/x:1"}]}


def deployment(*, generation: int = 2, wanted: int = 2, **status):
    return {"metadata": {"generation": generation}, "spec": {"replicas": wanted}, "status": status}


def told(**containers):
    return pod(containers={name.replace("_", "-"): state for name, state in containers.items()}, spec={**INIT, **FRONT})


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ({}, False),
        ({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, False),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}, False),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}, False),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, True),
    ],
)
def test_a_change_is_in_force_when_its_pods_are_ready_and_alone(status, done):
    assert is_done(deployment(**status)) is done


@pytest.mark.parametrize(
    ("found", "text", "final"),
    [
        (
            told(front=ended(3, message="Traceback\ndigits/v4 cannot be loaded: x")),
            "digits/v4 cannot be loaded: x",
            True,
        ),
        (told(model_1=ended(137, "OOMKilled"), front=ended(3, message="it died")), "model-1 took more memory", True),
        (told(model_1=ended(127, message="there is neither python3 nor python")), "neither python3 nor python", True),
        (told(fetch=ended(7, message="the store is away\nhint")), "cannot be fetched: the store is away", False),
        (
            told(fetch=waits("ImagePullBackOff", "Back-off pulling image")),
            "image mlctl/runtime:1 cannot be pulled",
            False,
        ),
        (told(model_1=waits("InvalidImageName")), "mlctl/x:1 is not the name of an image", False),
    ],
)
def test_what_stands_in_the_way_is_named(found, text, final):
    seen = trouble(deployment(), [found], {}, None)
    assert seen is not None
    assert (text in seen.message, seen.final) == (True, final)


def test_what_takes_its_course_is_no_trouble():
    running = {"running": {}}
    for one in (told(), told(fetch=running), told(fetch=ended(0), model_1=running, front=running)):
        assert trouble(deployment(), [one], {}, None) is None
    gone = told(front=ended(143))
    gone["metadata"]["deletionTimestamp"] = "2026-11-22T10:00:00Z"
    assert trouble(deployment(), [gone], {}, None) is None


def test_the_cluster_says_why_it_makes_no_pod_or_places_none():
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: team"}
    seen = trouble(deployment(conditions=[refused]), [], {}, None)
    assert seen is not None
    assert "exceeded quota: team" in seen.message
    large = unscheduled("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.", **INIT, **FRONT)
    large["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": "4"}}
    events = {large["metadata"]["uid"]: [event(large, "FailedScheduling", "")]}
    seen = trouble(deployment(), [large], events, [node(gpus=2)])
    assert seen is not None
    assert "none of 1 node can take it" in seen.message
    seen = trouble(deployment(), [unscheduled("0/1 nodes are available: 1 Insufficient cpu.")], {}, [node(gpus=2)])
    assert seen is not None
    assert (seen.passes, "1 of 1 node could take it and is full" in seen.message) == (True, True)
    stuck = told(fetch=waits("ImagePullBackOff", "Back-off pulling image"))
    seen = trouble(deployment(), [unscheduled("1 Insufficient cpu."), stuck], {}, [node()])
    assert seen is not None
    assert (seen.passes, "cannot be pulled" in seen.message) == (False, True)


def test_an_autoscaler_that_measures_nothing_is_told_when_it_had_its_time():
    told = "the HPA was unable to compute the replica count: failed to get cpu utilization: (get pods.metrics.k8s.io)"
    condition = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": told}
    condition["lastTransitionTime"] = stamp(0.0)
    since = seconds(condition["lastTransitionTime"])
    autoscaler = {"status": {"conditions": [condition]}}
    assert not_growing({"status": {}}, since) == not_growing(autoscaler, since + MEASURED - 1) == ""
    said = "more load makes no more replicas: failed to get cpu utilization: (get pods.metrics.k8s.io)"
    assert not_growing(autoscaler, since + MEASURED + 1) == said
    condition["reason"] = "ScalingDisabled"  # the service is stopped
    assert not_growing(autoscaler, since + MEASURED + 1) == ""


@pytest.mark.parametrize(
    ("parents", "said"),
    [
        ([], "there is no Gateway web, or nobody looks after it"),
        ([{"conditions": [{"type": "Accepted", "status": "True"}]}], ""),
        (
            [{"conditions": [{"type": "Accepted", "status": "False", "message": "no listener takes it"}]}],
            "Gateway web: no listener takes it",
        ),
    ],
)
def test_what_a_gateway_does_not_take_is_told_when_it_had_its_time(parents, said):
    route = {"metadata": {"creationTimestamp": stamp(0.0)}, "spec": {"parentRefs": [{"name": "web"}]}}
    route["status"] = {"parents": parents}
    made = seconds(route["metadata"]["creationTimestamp"])
    assert not_routed(route, made + ROUTED - 1) == ""
    assert not_routed(route, made + ROUTED + 1) == (said and f"nothing comes from outside: {said}")
