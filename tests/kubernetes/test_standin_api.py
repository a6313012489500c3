"""The API server: verbs, errors, selectors, pages, patches and deletion; the same on the stand-in and a real one."""

import json
import shutil
import subprocess

import pytest
from kubernetes import client

from tests.kubernetes.manifests import job, pod
from tests.kubernetes.waiting import finished, pods
from tests.waiting import wait_until


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"n": name}}, "data": data}


def test_objects_are_made_read_changed_and_deleted(cluster):
    made = cluster.core.create_namespaced_config_map(cluster.namespace, config_map("a", x="1"))
    assert made.metadata.uid and made.metadata.creation_timestamp
    made.data["x"] = "2"
    changed = cluster.core.replace_namespaced_config_map("a", cluster.namespace, made)
    assert changed.data == {"x": "2"} and changed.metadata.uid == made.metadata.uid
    assert changed.metadata.resource_version != made.metadata.resource_version
    with pytest.raises(client.ApiException) as caught:
        cluster.core.replace_namespaced_config_map("a", cluster.namespace, made)
    assert json.loads(caught.value.body)["reason"] == "Conflict"
    assert cluster.core.delete_namespaced_config_map("a", cluster.namespace).status == "Success"
    assert cluster.call("GET", "api/v1:configmaps/a").status == 404


def test_errors_are_told_in_the_real_servers_words(cluster):
    answer = cluster.call("GET", "apis/batch/v1:jobs/none")
    assert (answer.status, answer.body["message"]) == (404, 'jobs.batch "none" not found')
    assert answer.body["details"] == {"name": "none", "group": "batch", "kind": "jobs"}
    cluster.call("POST", "api/v1:configmaps", config_map("a"))
    answer = cluster.call("POST", "api/v1:configmaps", config_map("a"))
    assert (answer.status, answer.body["reason"]) == (409, "AlreadyExists")
    assert answer.body["message"] == 'configmaps "a" already exists'


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        (lambda job: job["metadata"].update(name="No_name"), "metadata.name", "FieldValueInvalid"),
        (lambda job: job["spec"].update(backoffLimit=-1), "spec.backoffLimit", "FieldValueInvalid"),
        (
            lambda job: job["spec"]["template"]["spec"].pop("restartPolicy"),
            "spec.template.spec.restartPolicy",
            "FieldValueRequired",
        ),
        (
            lambda job: job["spec"]["template"]["spec"]["containers"][0].pop("image"),
            "spec.template.spec.containers[0].image",
            "FieldValueRequired",
        ),
        (
            lambda job: job["spec"]["template"]["spec"]["containers"][0].update(
                volumeMounts=[{"name": "gone", "mountPath": "/x"}]
            ),
            "spec.template.spec.containers[0].volumeMounts[0].name",
            "FieldValueNotFound",
        ),
        (
            lambda job: job["spec"]["template"]["spec"]["containers"][0].update(
                resources={"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}
            ),
            "spec.template.spec.containers[0].resources.requests",
            "FieldValueInvalid",
        ),
    ],
    ids=["name", "negative", "restart", "image", "mount", "limit"],
)
def test_what_makes_no_sense_is_refused_field_by_field(cluster, change, field, reason):
    manifest = job("j")
    change(manifest)
    answer = cluster.call("POST", "apis/batch/v1:jobs", manifest)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid"), answer.body
    assert (field, reason) in {(cause["field"], cause["reason"]) for cause in answer.body["details"]["causes"]}


def test_unknown_fields_are_refused_or_warned_of(cluster):
    manifest = job("j")
    manifest["spec"]["template"]["spec"]["nodeSelecto"] = {}
    answer = cluster.call("POST", "apis/batch/v1:jobs", manifest, query={"fieldValidation": "Strict"})
    assert answer.status == 400
    assert 'strict decoding error: unknown field "spec.template.spec.nodeSelecto"' in answer.body["message"]
    answer = cluster.call("POST", "apis/batch/v1:jobs", manifest, query={"dryRun": "All"})
    assert answer.status == 201
    assert answer.headers["Warning"] == '299 - "unknown field \\"spec.template.spec.nodeSelecto\\""'
    manifest["spec"]["backoffLimit"] = "many"
    answer = cluster.call("POST", "apis/batch/v1:jobs", manifest)
    assert answer.status == 400
    assert (
        "json: cannot unmarshal string into Go struct field JobSpec.spec.backoffLimit of type int32"
        in (answer.body["message"])
    )


def test_a_dry_run_keeps_nothing(cluster):
    answer = cluster.call("POST", "api/v1:configmaps", config_map("a"), query={"dryRun": "All"})
    assert answer.status == 201
    assert cluster.call("GET", "api/v1:configmaps/a").status == 404


def test_names_are_generated(cluster):
    manifest = config_map("x")
    manifest["metadata"] = {"generateName": "gen-"}
    names = {cluster.call("POST", "api/v1:configmaps", manifest).body["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3 and all(name.startswith("gen-") and len(name) == 9 for name in names)


def test_selectors(cluster):
    for name in "abc":
        cluster.call("POST", "api/v1:configmaps", config_map(name))

    def names(**query):
        answer = cluster.call("GET", "api/v1:configmaps", query=query)
        assert answer.status == 200, answer.body
        return [item["metadata"]["name"] for item in answer.body["items"] if len(item["metadata"]["name"]) == 1]

    assert names(labelSelector="n in (a, c)") == ["a", "c"]
    assert names(labelSelector="n,n!=a") == ["b", "c"]
    assert names(labelSelector="n notin (a),n=b") == ["b"]
    assert names(fieldSelector="metadata.name=c") == ["c"]
    assert cluster.call("GET", "api/v1:configmaps", query={"fieldSelector": "data.x=1"}).status == 400
    assert cluster.call("GET", "api/v1:configmaps", query={"labelSelector": "n in a"}).status == 400


def test_pages_together_are_the_list(cluster):
    made = {f"page-{number}" for number in range(5)}
    for name in made:
        cluster.call("POST", "api/v1:configmaps", config_map(name))
    found, token = [], None
    while token is None or token:
        query = {"limit": "2"} | ({"continue": token} if token else {})
        answer = cluster.call("GET", "api/v1:configmaps", query=query)
        assert len(answer.body["items"]) <= 2
        found += [item["metadata"]["name"] for item in answer.body["items"]]
        token = answer.body["metadata"].get("continue", "")
    assert len(found) == len(set(found)) and made <= set(found)


def test_items_of_lists_do_not_tell_their_kind(cluster):
    cluster.call("POST", "api/v1:configmaps", config_map("a"))
    body = cluster.call("GET", "api/v1:configmaps").body
    assert body["kind"] == "ConfigMapList" and body["metadata"]["resourceVersion"]
    assert all("kind" not in item and "apiVersion" not in item for item in body["items"])


def test_patches(cluster):
    manifest = pod("p", **{"schedulerName": "nobody"})
    cluster.call("POST", "api/v1:pods", manifest)

    def patch(body, kind):
        answer = cluster.call("PATCH", "api/v1:pods/p", body, kind=f"application/{kind}")
        assert answer.status == 200, answer.body
        return answer.body

    assert patch({"metadata": {"labels": {"a": "1", "b": "2"}}}, "merge-patch+json")["metadata"]["labels"]["a"] == "1"
    assert patch({"metadata": {"labels": {"a": None}}}, "merge-patch+json")["metadata"]["labels"] == {"b": "2"}
    image = {"spec": {"containers": [{"name": "main", "image": "other"}]}}
    changed = patch(image, "strategic-merge-patch+json")["spec"]["containers"]
    assert len(changed) == 1 and changed[0]["image"] == "other" and changed[0]["command"]
    steps = [{"op": "add", "path": "/metadata/labels/c~1d", "value": "3"}]
    assert patch(steps, "json-patch+json")["metadata"]["labels"] == {"b": "2", "c/d": "3"}
    forbidden = {"spec": {"nodeSelector": {"a": "b"}}}
    answer = cluster.call("PATCH", "api/v1:pods/p", forbidden, kind="application/merge-patch+json")
    assert answer.status == 422 and "pod updates may not change fields other than" in answer.body["message"]


def test_server_side_apply_creates_and_merges(cluster):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "1"}}
    query = {"fieldManager": "test", "force": "true"}
    kind = "application/apply-patch+yaml"
    answer = cluster.call("PATCH", "api/v1:secrets/s", secret, query=query, kind=kind)
    assert (answer.status, answer.body["data"]) == (201, {"a": "MQ=="})
    secret["stringData"] = {"a": "2"}
    answer = cluster.call("PATCH", "api/v1:secrets/s", secret, query=query, kind=kind)
    assert (answer.status, answer.body["data"]) == (200, {"a": "Mg=="})


def test_a_jobs_template_cannot_be_changed(cluster):
    cluster.call("POST", "apis/batch/v1:jobs", job("j", spec={"suspend": False, "parallelism": 0}))
    change = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}}
    answer = cluster.call("PATCH", "apis/batch/v1:jobs/j", change, kind="application/strategic-merge-patch+json")
    assert answer.status == 422
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == ["spec.template"]
    assert "field is immutable" in answer.body["message"]


def test_finalizers_delay_the_end(cluster):
    manifest = config_map("held")
    manifest["metadata"]["finalizers"] = ["example.com/hold"]
    cluster.call("POST", "api/v1:configmaps", manifest)
    assert cluster.call("DELETE", "api/v1:configmaps/held").body["metadata"]["deletionTimestamp"]
    assert cluster.call("GET", "api/v1:configmaps/held").status == 200
    release = {"metadata": {"finalizers": None}}
    cluster.call("PATCH", "api/v1:configmaps/held", release, kind="application/merge-patch+json")
    assert cluster.call("GET", "api/v1:configmaps/held").status == 404


def test_what_an_object_owns_goes_with_it(cluster):
    owner = cluster.call("POST", "api/v1:configmaps", config_map("owner")).body
    owned = config_map("owned")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned["metadata"]["ownerReferences"] = [reference]
    cluster.call("POST", "api/v1:configmaps", owned)
    cluster.call("DELETE", "api/v1:configmaps/owner", query={"propagationPolicy": "Background"})
    wait_until(lambda: cluster.call("GET", "api/v1:configmaps/owned").status == 404, "the owned object to go")


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
def test_a_deleted_job_takes_its_pods_along_unless_they_are_to_stay(cluster, policy):
    cluster.call("POST", "apis/batch/v1:jobs", job("j"))
    finished(cluster, "j")
    (made,) = pods(cluster, "j")
    answer = cluster.call("DELETE", "apis/batch/v1:jobs/j", {"propagationPolicy": policy})
    assert answer.status == 200
    wait_until(lambda: cluster.call("GET", "apis/batch/v1:jobs/j").status == 404, "the Job to go")
    if policy == "Orphan":
        assert not cluster.get("pods", made["metadata"]["name"])["metadata"].get("ownerReferences")
    else:
        wait_until(lambda: not pods(cluster, "j"), "the pods to go")


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubectl(cluster):
    def kubectl(*words, text=None):
        command = ["kubectl", "--kubeconfig", cluster.kubeconfig, "-n", cluster.namespace, *words]
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    manifest = json.dumps(job("j", "echo from the container"))
    assert kubectl("apply", "-f", "-", text=manifest) == "job.batch/j created\n"
    assert kubectl("apply", "-f", "-", text=manifest) == "job.batch/j unchanged\n"
    kubectl("wait", "--for=condition=complete", "--timeout=60s", "job/j")
    assert kubectl("logs", "job/j") == "from the container\n"
    assert "Completed" in kubectl("describe", "job", "j")
    assert kubectl("delete", "job", "j").startswith('job.batch "j" deleted')
    assert kubectl("get", "pods") == ""
