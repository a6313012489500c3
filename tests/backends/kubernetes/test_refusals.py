"""What users are told when an API server refuses."""

import json

import pytest

from orchestrator.backends.kubernetes.refusals import (
    ExistsError,
    GoneError,
    TroubleError,
    UnknownKindError,
    refusal,
    role_rule,
)
from orchestrator.errors import ClusterError, MlctlError, NotFoundError, PermissionDeniedError, PreflightError

FORBIDDEN = (
    'jobs.batch is forbidden: User "ann" cannot create resource "jobs" in API group "batch" in the namespace "ml"'
)


def answer(status: int, message: str, **fields: object) -> MlctlError:
    return refusal(status, json.dumps({"kind": "Status", "message": message, **fields}), "cluster lab")


def test_a_missing_right_is_named_as_the_rule_that_gives_it() -> None:
    error = answer(403, FORBIDDEN, reason="Forbidden")
    assert isinstance(error, PermissionDeniedError)
    assert error.hint.endswith('{apiGroups: ["batch"], resources: ["jobs"], verbs: ["create"]}')
    assert role_rule("no such thing") == ""


def test_a_policy_is_passed_on_in_full() -> None:
    text = 'admission webhook "policy.kyverno.svc" denied the request: images must come from registry.lab'
    error = answer(403, text, reason="Forbidden")
    assert isinstance(error, PreflightError)
    assert text in error.message and "policy.kyverno.svc" in error.hint


def test_a_missing_namespace_says_how_to_make_it() -> None:
    error = answer(404, 'namespaces "ml" not found', reason="NotFound", details={"kind": "namespaces", "name": "ml"})
    assert isinstance(error, NotFoundError)
    assert "kubectl create namespace ml" in error.hint


def test_every_field_that_is_wrong_is_named() -> None:
    causes = [{"field": "spec.a", "message": "must be 1"}, {"field": "spec.b", "message": "must be 2"}]
    error = answer(422, "Job x is invalid: spec.a: ...", reason="Invalid", details={"causes": causes})
    assert isinstance(error, PreflightError)
    assert "spec.a: must be 1" in error.message and "spec.b: must be 2" in error.message


@pytest.mark.parametrize(
    ("status", "fields", "kind"),
    [
        (401, {}, PermissionDeniedError),
        (404, {"reason": "NotFound", "details": {"kind": "jobs", "name": "x"}}, NotFoundError),
        (409, {"reason": "AlreadyExists"}, ExistsError),
        (410, {"reason": "Expired"}, GoneError),
        (429, {}, TroubleError),
        (503, {}, TroubleError),
        (302, {}, ClusterError),
    ],
)
def test_each_status_has_its_error(status: int, fields: dict[str, object], kind: type[MlctlError]) -> None:
    error = answer(status, "because", **fields)
    assert type(error) is kind
    assert "because" in error.message and "cluster lab" in error.message


def test_a_kind_that_the_cluster_does_not_have_is_told_as_such() -> None:
    of_no_group = refusal(404, "404 page not found\n", "cluster lab")
    of_a_group = answer(404, "the server could not find the requested resource", reason="NotFound", details={})
    assert [type(error) for error in (of_no_group, of_a_group)] == [UnknownKindError] * 2


def test_an_answer_that_is_no_kubernetes_answer_is_told_as_such() -> None:
    for body in ("<html>nginx</html>", "", "[1, 2]", '"x"'):
        for status in (400, 401, 403, 404, 405, 409, 410, 418, 429, 500):
            assert refusal(status, body, "cluster lab").message.startswith("cluster lab")
    assert isinstance(refusal(404, "<html>", "cluster lab"), ClusterError)


def test_a_version_from_before_a_restored_backup_is_given_up() -> None:
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    error = answer(504, "Too large resource version: 9, current: 5", reason="Timeout", details={"causes": causes})
    assert isinstance(error, GoneError)
