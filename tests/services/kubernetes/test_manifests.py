"""The objects of a service, in the eyes of the published schemas and of who reads them."""

import base64
import re

import msgspec
import pytest
from hypothesis import given, settings

from orchestrator.errors import UsageError
from orchestrator.services.kubernetes.kserve import kserve_manifests
from orchestrator.services.kubernetes.manifests import DEPLOYMENT, HPA, ROUTE, manifests
from orchestrator.services.kubernetes.plan import TFSERVING, plan_of
from orchestrator.services.kubernetes.pod import pod_template
from orchestrator.services.record import Share
from orchestrator.services.shape import Shape
from orchestrator.serving.model_server import models_config
from orchestrator.serving.settings import Settings
from tests.backends.kubernetes.examples import SITE
from tests.backends.kubernetes.pod_security import violations
from tests.kubernetes_schemas import VERSIONS, part_problems, problems
from tests.services.kubernetes.plans import PLAN, PLANS, plan

NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")


def kinds(made) -> set[str]:
    return {one["kind"] for one in made.values()}


@settings(max_examples=40, deadline=None)
@given(PLANS)
def test_they_are_valid_in_the_oldest_and_the_newest_version(plan):
    made = manifests(plan)
    assert made == manifests(plan)
    for (path, name), one in made.items():
        assert name == one["metadata"]["name"]
        assert NAME.fullmatch(one["metadata"]["name"])
        assert one["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "mlctl"
        if path != ROUTE:  # which is a custom resource
            assert [text for version in VERSIONS for text in problems(one, version)] == []
        if path != DEPLOYMENT:
            assert [owner["uid"] for owner in one["metadata"].get("ownerReferences", [])] == [plan.owner] * bool(
                plan.owner
            )
    if plan.site.defaults.security != "image":
        assert violations(pod_template(plan)["spec"]) == []


@pytest.mark.parametrize("name", ["a", "x" * 52])
def test_names_of_any_length_fit(name):
    long = msgspec.structs.replace(PLAN, settings=msgspec.structs.replace(PLAN.settings, name=name))
    for one in manifests(long).values():
        assert NAME.fullmatch(one["metadata"]["name"])


def test_what_is_made_follows_from_what_was_asked_for():
    least = {"Secret", "Deployment", "Service"}
    assert kinds(manifests(plan())) == least
    assert kinds(manifests(plan(replicas=2))) == least | {"PodDisruptionBudget"}
    assert kinds(manifests(plan(max_replicas=3))) == least | {"PodDisruptionBudget", "HorizontalPodAutoscaler"}
    assert kinds(manifests(plan(ingress="digits.lab"))) == least | {"Ingress"}
    made = manifests(plan(ingress="digits.lab", gateway="edge/web"))
    assert kinds(made) == least | {"HTTPRoute"}
    assert made[ROUTE, "digits"]["spec"]["parentRefs"] == [{"name": "web", "namespace": "edge"}]
    assert made[ROUTE, "digits"]["spec"]["hostnames"] == ["digits.lab"]


def test_the_autoscaler_looks_at_each_engine_where_a_pod_has_several():
    metrics = manifests(plan(max_replicas=3))[HPA, "digits"]["spec"]["metrics"]
    assert [one["type"] for one in metrics] == ["Resource", "ContainerResource", "ContainerResource"]
    assert [one["containerResource"]["container"] for one in metrics[1:]] == [host.name for host in PLAN.hosts]
    alone = msgspec.structs.replace(plan(max_replicas=3), hosts=PLAN.hosts[:1])
    assert [one["type"] for one in manifests(alone)[HPA, "digits"]["spec"]["metrics"]] == ["Resource"]


def test_a_pod_has_a_container_for_each_engine_and_the_front_before_them():
    spec = pod_template(plan(cpus=2, memory="4Gi", gpus=1))["spec"]
    fetch, *hosts = spec["initContainers"]
    assert (fetch["name"], [one["image"] for one in hosts]) == ("fetch", [host.image for host in PLAN.hosts])
    for host in hosts:
        assert host["restartPolicy"] == "Always"
        assert host["resources"]["limits"] == {"memory": "4Gi", "nvidia.com/gpu": "1"}
        assert host["resources"]["requests"]["cpu"] == "2"
    assert [one["name"] for one in spec["containers"]] == ["front"]
    assert spec["automountServiceAccountToken"] is False


@pytest.mark.parametrize("version", VERSIONS)
def test_tensorflow_serving_takes_the_place_of_the_engine(version):
    shares = [Share(model="digits", number=number, weight=50, engine="tensorflow-2") for number in (3, 4)]
    shape = Shape().changed(server="tfserving", gpus=1)
    made = plan_of("digits", shares, ("0" * 64,), shape, SITE)
    template = pod_template(made)
    assert part_problems(template["spec"], "podspec-v1", version) == []
    _, server = template["spec"]["initContainers"]
    assert (server["image"], server["command"][0]) == (f"{TFSERVING}-gpu", "tensorflow_model_server")
    config = models_config(made.settings.models)
    assert 'base_path: "/mlctl/models/digits"' in config
    assert "specific { versions: 3 versions: 4 }" in config


def test_another_share_is_another_revision_and_the_same_shares_are_the_same():
    first = manifests(PLAN)
    secret = next(one for one in first.values() if "settings.json" in one.get("data", {}))
    told = msgspec.json.decode(base64.b64decode(secret["data"]["settings.json"]), type=Settings)
    assert told == PLAN.settings
    other = msgspec.structs.replace(told, models=told.models[:1])
    changed = msgspec.structs.replace(PLAN, settings=other)
    assert pod_template(changed)["metadata"]["labels"] != pod_template(PLAN)["metadata"]["labels"]
    again = msgspec.structs.replace(PLAN, settings=msgspec.structs.replace(told))
    assert manifests(again) == first


def test_a_shape_that_cannot_be_is_refused():
    assert Shape().changed(replicas=2, cpus=None) == Shape(replicas=2)
    for fields in ({"replicas": 0}, {"cpus": 0}, {"gpus": -1}, {"memory": "much"}, {"replicas": 3, "max_replicas": 2}):
        with pytest.raises(UsageError):
            Shape().changed(**fields)


@pytest.mark.parametrize("version", VERSIONS)
def test_kserve_gets_the_same_pod(version):
    *secrets, service = kserve_manifests(plan(replicas=2, max_replicas=4))
    assert {one["kind"] for one in secrets} == {"Secret"}
    assert service["kind"] == "InferenceService"
    predictor = dict(service["spec"]["predictor"])
    assert (predictor.pop("minReplicas"), predictor.pop("maxReplicas")) == (2, 4)
    assert part_problems(predictor, "podspec-v1", version) == []
    assert [one["name"] for one in predictor["containers"]] == ["kserve-container"]
