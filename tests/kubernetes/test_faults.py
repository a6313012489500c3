"""What goes wrong between mlctl and a cluster: each with its exit code, its reason and the next step."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from orchestrator import config
from orchestrator.client import Client
from orchestrator.errors import (
    ClusterError,
    MlctlError,
    NotFoundError,
    PermissionDeniedError,
    PreflightError,
    UsageError,
)
from tests.jobs.conftest import project  # noqa: F401
from tests.jobs.test_faults import die_in
from tests.kubernetes.standin import Standin
from tests.kubernetes.standin.status import standard
from tests.kubernetes.test_jobs import Lab, lab  # noqa: F401

CREATE = "from orchestrator import Client; print(Client('lab').jobs.create(sys.argv[1]).version)"


def create_with(lab: Lab, **fields: str) -> None:  # noqa: F811
    """Create a job with a context that differs in this from the right one."""
    name = f"lab-{len(config.list_contexts())}"
    config.add_context(msgspec.structs.replace(config.get_context("lab"), name=name, **fields))
    Client(name).jobs.create(lab.write())


def test_another_kubeconfig_than_there_is(lab: Lab, tmp_path: Path) -> None:  # noqa: F811
    with pytest.raises(NotFoundError, match="has no context 'standim'; did you mean standin"):
        create_with(lab, kube_context="standim")
    with pytest.raises(NotFoundError, match="there is no kubeconfig at"):
        create_with(lab, kubeconfig=str(tmp_path / "none"))
    (tmp_path / "garbage").write_text("clusters: [}")
    with pytest.raises(UsageError, match="is not valid"):
        create_with(lab, kubeconfig=str(tmp_path / "garbage"))


def test_credentials_that_are_no_longer_good(lab: Lab, standin: Standin) -> None:  # noqa: F811
    with pytest.raises(PermissionDeniedError, match="does not accept these credentials") as caught:
        create_with(lab, kubeconfig=str(standin.kubeconfig(token="expired")))
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (
            standard(403, 'admission webhook "gpu.lab" denied the request: cost centre?'),
            PreflightError,
            "cost centre",
        ),
        (standard(403, "exceeded quota: team, requested: count/jobs.batch=1"), PreflightError, "exceeded quota: team"),
    ],
    ids=["webhook", "quota"],
)
def test_what_the_cluster_refuses_is_passed_on_in_full(
    lab: Lab,  # noqa: F811
    standin: Standin,
    answer: Exception,
    kind: type[MlctlError],
    told: str,
) -> None:
    standin.faults.fail_next("create", "jobs", answer)
    with pytest.raises(kind, match=told):
        lab.create()


def test_a_forbidden_verb_names_the_rule_that_is_missing(lab: Lab, standin: Standin) -> None:  # noqa: F811
    standin.faults.deny("create", "jobs")
    with pytest.raises(PermissionDeniedError) as caught:
        lab.create()
    assert '{apiGroups: ["batch"], resources: ["jobs"], verbs: ["create"]}' in caught.value.hint
    standin.faults.allow("create", "jobs")
    assert lab.create().version == "V0001"  # the same command goes on with it
    assert len(standin.objects("jobs")) == 1


def test_an_api_server_that_is_away_at_create(lab: Lab, standin: Standin) -> None:  # noqa: F811
    standin.down()
    with pytest.raises(ClusterError, match="cannot be reached") as caught:
        lab.create()
    assert caught.value.exit_code == 8
    standin.up()
    assert lab.create().version == "V0001"
    assert len(standin.objects("jobs")) == 1


@pytest.mark.parametrize(
    "step",
    [
        "orchestrator.backends.kubernetes.backend:KubernetesSubmission.start",
        "orchestrator.backends.kubernetes.api:Api.create",
        "orchestrator.jobs.last:remember",
    ],
)
def test_create_killed_at_a_step_and_run_again(lab: Lab, standin: Standin, step: str) -> None:  # noqa: F811
    lab.write()
    source = f"import os, sys\n{die_in(step)}\n{CREATE}"
    assert subprocess.run([sys.executable, "-c", source, lab.spec]).returncode == -9
    assert lab.create().version == "V0001"
    assert len(standin.objects("jobs")) == 1
