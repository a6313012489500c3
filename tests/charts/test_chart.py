"""The Helm chart, rendered as Helm does it: what it makes is valid on the oldest and the newest cluster."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from orchestrator.services.kubernetes.pod import pod_template
from orchestrator.store.serve import free_ports
from orchestrator.version import __version__
from tests.backends.kubernetes.pod_security import violations
from tests.kubernetes_schemas import VERSIONS, problems
from tests.services.kubernetes.plans import PLAN

helm = pytest.importorskip("helm_python")

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/mlctl"
CUSTOM = {"LocalQueue"}  # kinds that Kubernetes itself does not know
VALUES = {"default": {}} | {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text()) for path in sorted(CHART.glob("ci/*.yaml"))
}


def render(values=None, name="mlctl", namespace="ml"):
    """Return the objects, and the notes."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values or {}, name=name, namespace=namespace)
    notes = files.pop("mlctl/templates/NOTES.txt")
    return [obj for text in files.values() for obj in yaml.safe_load_all(text) if obj], notes


def one(objects, kind, name=None):
    [found] = [obj for obj in objects if obj["kind"] == kind and name in (None, obj["metadata"]["name"])]
    return found


def pod_of(obj):
    return obj["spec"] if obj["kind"] == "Pod" else obj.get("spec", {}).get("template", {}).get("spec")


def test_it_has_the_projects_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_lint_finds_nothing(values):
    report = helm.lint(CHART, values, strict=True)
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_every_object_is_valid(values, version):
    objects, _ = render(values)
    assert len(objects) > 2
    for obj in objects:
        if obj["kind"] not in CUSTOM:
            assert problems(obj, version) == [], obj["metadata"]["name"]
    names = [(obj["kind"], obj["metadata"]["name"]) for obj in objects]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_everything_is_in_the_namespace_labelled_and_restricted(values):
    for obj in render(values)[0]:
        assert re.fullmatch(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", obj["metadata"]["name"])
        assert obj["metadata"]["labels"]["app.kubernetes.io/name"] == "mlctl"
        assert obj["metadata"].get("namespace") == (None if obj["kind"].startswith("Cluster") else "ml")
        if pod := pod_of(obj):
            assert violations(pod) == []
            assert pod["automountServiceAccountToken"] is False
            assert all("limits" in container["resources"] for container in pod["containers"])


def test_nothing_of_the_cluster_is_asked_for_by_default():
    kinds = {obj["kind"] for obj in render()[0]}
    assert kinds == {"ServiceAccount", "Role", "RoleBinding"}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_every_right_is_explained(values):
    page = (ROOT / "docs/kubernetes.md").read_text()
    for role in [obj for obj in render(values)[0] if obj["kind"] in ("Role", "ClusterRole")]:
        for rule in role["rules"]:
            assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
            for resource in rule["resources"]:
                assert f"| `{resource}` | {', '.join(rule['verbs'])} |" in page


def test_shell_services_secrets_and_nodes_are_rights_of_their_own():
    def rights(**access):
        roles = [obj for obj in render({"access": access})[0] if obj["kind"] in ("Role", "ClusterRole")]
        return {resource for role in roles for rule in role["rules"] for resource in rule["resources"]}

    plain = rights(shell=False, services=False)
    assert not {"pods/exec", "secrets", "nodes"} & plain
    assert rights(shell=True, services=False) - plain == {"pods/exec"}
    assert rights(shell=False, services=False, secrets=True) - plain == {"secrets"}
    assert rights(shell=False, services=False, nodes=True) - plain == {"nodes"}
    assert {"deployments", "services/proxy", "secrets"} <= rights(shell=False) - plain


def test_whoever_is_named_gets_the_rights():
    objects, _ = render(VALUES["full"])
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        subjects = one(objects, kind)["subjects"]
        assert [(subject["kind"], subject["name"]) for subject in subjects] == [
            ("ServiceAccount", "people"),
            ("Group", "ml-team"),
            ("ServiceAccount", "ci"),
        ]
    assert "eks.amazonaws.com/role-arn" in one(objects, "ServiceAccount", "trainer")["metadata"]["annotations"]
    assert one(objects, "ServiceAccount", "trainer")["imagePullSecrets"] == [{"name": "registry-lab"}]


def test_the_stores_secret_is_made_or_named():
    made = one(render(VALUES["bucket"])[0], "Secret")
    assert made["stringData"]["AWS_ACCESS_KEY_ID"] == "AKIAEXAMPLE"
    assert made["stringData"]["AWS_SECRET_ACCESS_KEY"] == "not/a/real+key"
    assert made["stringData"]["ca.crt"].startswith("-----BEGIN")
    objects, notes = render(VALUES["full"])
    assert not [obj for obj in objects if obj["kind"] == "Secret"]
    assert "--store-secret minio" in notes


def test_quota_limits_and_queue():
    objects, _ = render(VALUES["full"])
    assert one(objects, "ResourceQuota")["spec"]["hard"] == {"requests.nvidia.com/gpu": "8", "count/jobs.batch": "100"}
    assert one(objects, "LimitRange")["spec"]["limits"][0]["max"] == {"memory": "256Gi"}
    queue = one(objects, "LocalQueue")
    assert (queue["metadata"]["name"], queue["spec"]) == ("team-a", {"clusterQueue": "gpus"})


def test_what_jobs_may_reach():
    closed = one(render(VALUES["full"])[0], "NetworkPolicy", "mlctl-jobs")["spec"]["egress"]
    blocks = [to["ipBlock"]["cidr"] for rule in closed for to in rule.get("to", []) if "ipBlock" in to]
    assert blocks == ["10.1.2.3/32", "169.254.169.254/32"]
    assert {"port": 53, "protocol": "UDP"} in closed[1]["ports"]
    trial = one(render(VALUES["trial"])[0], "NetworkPolicy", "mlctl-jobs")["spec"]
    assert "0.0.0.0/0" in json.dumps(trial["egress"]), "the internet"
    assert "trial-store" in json.dumps(trial["egress"])
    assert "training" in json.dumps(trial["podSelector"])
    manifest = yaml.safe_load((ROOT / "tests/backends/kubernetes/mnist-mxnet.yaml").read_text())
    labels = manifest["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == trial["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
    assert labels["app.kubernetes.io/component"] in trial["podSelector"]["matchExpressions"][0]["values"]


def test_services_may_be_asked_and_reach_what_jobs_reach():
    objects, _ = render(VALUES["full"])
    jobs, services = (one(objects, "NetworkPolicy", f"mlctl-{kind}")["spec"] for kind in ("jobs", "services"))
    assert services["egress"] == jobs["egress"][1:]  # workers reach each other
    template = pod_template(PLAN)
    assert services["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    ports = {port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    assert {port["port"] for rule in services["ingress"] for port in rule["ports"]} == ports


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_notes_name_a_context_that_can_be_added(values):
    _, notes = render(values)
    [line] = [line for line in notes.splitlines() if "mlctl context add" in line]
    words = shlex.split(line)[4:]
    options = dict(zip(words[::2], words[1::2], strict=True))
    page = (ROOT / "docs/cli.md").read_text().partition("## mlctl context add")[2].partition("## ")[0]
    assert [name for name in options if f"`{name} " not in page] == []
    assert options["--namespace"] == "ml"
    assert options["--store"].startswith("s3://")
    assert ("for trials only" in notes) is bool(values.get("trialStore"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"acess": {}}, "acess"),
        ({"store": {"url": "minio.lab/bucket"}}, "/store/url"),
        ({"store": {"accessKeyId": "a"}}, "/store/secretAccessKey"),
        ({"store": {"accessKeyId": "a", "secretAccessKey": "b", "existingSecret": "c"}}, "/store/existingSecret"),
        ({"trialStore": {"bucket": "ml"}}, "/trialStore/bucket"),
        ({"networkPolicy": {"store": {"port": 0}}}, "/networkPolicy/store/port"),
        ({"access": {"subjects": [{"kind": "Team", "name": "a"}]}}, "/access/subjects/0/kind"),
    ],
)
def test_wrong_values_are_refused(values, message):
    with pytest.raises(helm.HelmError, match=re.escape(message)):
        render(values)


def test_two_sets_of_keys_are_refused():
    with pytest.raises(helm.HelmError, match=r"leave store\.existingSecret empty"):
        render({"trialStore": {"enabled": True}, "store": {"existingSecret": "minio"}})


def test_the_trial_store_serves_and_helm_test_finds_it_fit(tmp_path):
    """What the pods are started with is run here, with the paths and ports of this machine."""
    objects, _ = render(VALUES["trial"])
    server = one(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    config = tmp_path / "s3.json"
    config.write_text(one(objects, "Secret", "mlctl-s3")["stringData"]["s3.json"])
    port, *others = free_ports(5)
    here = {"-dir": str(tmp_path), "-ip.bind": "127.0.0.1", "-s3.port": str(port), "-s3.config": str(config)}
    arguments = [f"{name}={here.get(name, value)}" for name, value in (one.split("=", 1) for one in server["args"][1:])]
    parts = ("master", "volume", "filer", "admin")
    arguments += [f"-{part}.port={other}" for part, other in zip(parts, others, strict=True)]
    arguments += [f"-{part}.localSocket={tmp_path}/{part}" for part in ("s3", "filer")]
    weed = Path(sys.executable).with_name("weed")
    running = subprocess.Popen(
        [weed, "mini", *arguments], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        check = one(objects, "Pod")["spec"]["containers"][0]
        keys = one(objects, "Secret", "mlctl-store")["stringData"]
        given = {env["name"]: env.get("value") or keys.get(env["name"], "") for env in check["env"]}
        given |= {"ENDPOINT": f"http://127.0.0.1:{port}", "MLCTL_HOME": str(tmp_path), "MLCTL_CACHE": str(tmp_path)}
        given |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        wait_for(port)
        deadline = time.monotonic() + 60
        while True:  # it listens before it has made the bucket
            done = subprocess.run(
                [*check["command"], *check["args"]], env=given, cwd=tmp_path, capture_output=True, text=True
            )
            if done.returncode == 0:
                break
            assert time.monotonic() < deadline, done.stdout + done.stderr
    finally:
        running.kill()
        running.wait()


def wait_for(port, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the store does not listen"
            time.sleep(0.1)
