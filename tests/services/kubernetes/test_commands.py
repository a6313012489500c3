"""A service on a cluster, as a user types it."""

import json
import re

import pytest
import yaml

from tests.cli.conftest import mlctl
from tests.kubernetes.standin import Standin
from tests.kubernetes_schemas import NEWEST, problems

__all__ = ["mlctl"]

DEPLOY = ("deploy", "echo", "-c", "lab", "--engine", "plain-1")


def test_a_dry_run_shows_the_objects_and_makes_none(mlctl, client, model, standin: Standin):
    model("one")
    done = mlctl(*DEPLOY, "--dry-run", "-o", "yaml", "--replicas", "2", "--gpus", "1", "--ingress", "echo.lab")
    assert done.returncode == 0, done.stderr
    objects = list(yaml.safe_load_all(done.stdout))
    kinds = {"Secret", "Deployment", "Service", "PodDisruptionBudget", "Ingress"}
    assert {one["kind"] for one in objects} == kinds
    assert [text for one in objects for text in problems(one, NEWEST)] == []
    kserve = list(yaml.safe_load_all(mlctl(*DEPLOY, "--dry-run", "-o", "kserve").stdout))
    assert kserve[-1]["kind"] == "InferenceService"
    assert "&id" not in done.stdout
    assert standin.objects("deployments") == []
    assert client.services.list() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*DEPLOY, "-o", "kserve"), "-o kserve shows what KServe would be given"),
        ((*DEPLOY, "--port", "80"), "--port is for services of this machine"),
        ((*DEPLOY, "--memory", "much"), "'much' is not an amount of memory"),
        ((*DEPLOY, "--replicas", "3", "--max-replicas", "2"), "at most 2 replicas are fewer than 3"),
    ],
)
def test_what_makes_no_sense_is_refused(mlctl, client, model, arguments, message):
    model("one")
    done = mlctl(*arguments)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


@pytest.mark.journey
def test_deploy_predict_logs_delete(mlctl, client, model, standin: Standin):
    model("one")
    done = mlctl(*DEPLOY)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^URL +http://echo\.default\.svc$", done.stdout, re.MULTILINE)
    assert re.search(r"^token: \S+", done.stderr, re.MULTILINE)
    assert json.loads(mlctl("predict", "echo", "-c", "lab", "--json", "{}").stdout)["answer"] == "one"
    failed = mlctl("predict", "echo", "-c", "lab", "--json", '{"do": "raise"}')
    assert "echo/v1: ValueError: as it was asked to" in failed.stderr
    assert '"status":422' in mlctl("service", "logs", "echo", "-c", "lab").stdout
    assert "ValueError: as it was asked to" in mlctl("service", "logs", "echo", "-c", "lab", "--models").stdout
    elsewhere = mlctl("service", "scale", "echo", "2")  # in the context of this machine, whose store is another
    assert elsewhere.returncode == 4
    assert mlctl("service", "delete", "echo", "-c", "lab").stdout == "echo deleted\n"
    assert standin.objects("deployments") == []
