import pytest
from hypothesis import given, settings

from orchestrator.backends.kubernetes.job import job_manifest
from orchestrator.backends.kubernetes.service import service_manifest
from tests.kubernetes_schemas import VERSIONS, problems

from .examples import ORDERS, SITE, order


@settings(max_examples=30, deadline=None)
@given(ORDERS)
def test_it_selects_the_pods_of_its_job_and_gives_them_names(work):
    service, job = service_manifest(work, SITE), job_manifest(work, SITE)
    assert service["metadata"]["name"] == job["metadata"]["name"]
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": job["metadata"]["name"]}
    assert service["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("owner", ["", "0d9f9c0e-6f5f-4c3e-9a57-6f4b1f6f3a10"])
def test_it_is_valid_and_goes_with_the_job(version, owner):
    service = service_manifest(order(nodes=2), SITE, owner=owner)
    assert problems(service, version) == []
    assert [one["uid"] for one in service["metadata"].get("ownerReferences", [])] == [owner] * bool(owner)
