import json
import os

import msgspec
import pytest

from orchestrator.backends.kubernetes.images import from_registry
from orchestrator.backends.kubernetes.order import Order
from orchestrator.backends.kubernetes.pod import pod_spec
from orchestrator.errors import SpecError
from orchestrator.runtime.pod.settings import settings_from
from orchestrator.specs.kubernetes import Kubernetes
from orchestrator.specs.kubernetes_parts import Toleration, Volume

from .examples import GPU, ORDER, SITE, TASK, order


def parts(pod):
    return {one["name"]: one for one in [*pod["initContainers"], *pod["containers"]]}


def environment(container):
    """Return the plain variables, and where the others come from."""
    return {one["name"]: one.get("value") or one["valueFrom"] for one in container.get("env", [])}


def test_fetch_comes_first_and_sync_stays():
    pod = pod_spec(ORDER, SITE)
    assert [one["name"] for one in pod["initContainers"]] == ["fetch", "sync"]
    assert [one.get("restartPolicy") for one in pod["initContainers"]] == [None, "Always"]
    assert [one["name"] for one in pod["containers"]] == ["main"]
    assert parts(pod)["main"]["command"] == ["/bin/sh", "/mlctl/start/launch.sh"]


def test_the_runtime_understands_what_it_is_told():
    told = environment(parts(pod_spec(order(nodes=3), SITE))["sync"])
    variables = {name: value for name, value in told.items() if isinstance(value, str)}
    settings = settings_from({**variables, "JOB_COMPLETION_INDEX": "2", "MLCTL_POD": "p"})
    assert (settings.context.store, settings.context.endpoint) == ("s3://ml/team-a", "https://minio.lab")
    assert settings.context.path_style is True
    assert settings.prefix == TASK.prefix
    assert settings.worker.address == f"{ORDER.name}-2.{ORDER.name}"
    assert str(settings.volume.folder) == "/mlctl"


def test_the_scripts_container_gets_the_stores_keys_only_if_it_needs_them():
    def main(mode):
        work = msgspec.structs.replace(ORDER, task=msgspec.structs.replace(TASK, data_mode=mode))
        return json.dumps(parts(pod_spec(work, SITE))["main"])

    assert SITE.store_secret not in main("local")
    assert SITE.store_secret in main("url")
    assert SITE.store_secret in json.dumps(parts(pod_spec(ORDER, SITE))["fetch"])


def test_without_keys_the_service_account_has_access():
    site = msgspec.structs.replace(SITE, store_secret="", defaults=Kubernetes(service_account="trainer"))
    pod = pod_spec(ORDER, site)
    assert "secretKeyRef" not in json.dumps(pod)
    assert pod["serviceAccountName"] == "trainer"
    assert pod["automountServiceAccountToken"] is False, "a job needs nothing of the cluster's API"


def test_authorities_of_a_store_are_mounted_where_the_runtime_looks():
    pod = pod_spec(ORDER, msgspec.structs.replace(SITE, ca_bundle=True))
    for name in ("fetch", "sync"):
        one = parts(pod)[name]
        told = json.loads(environment(one)["MLCTL_STORE"])["ca_bundle"]
        assert {"name": "store-ca", "mountPath": os.path.dirname(told), "readOnly": True} in one["volumeMounts"]  # noqa: PTH120
    assert "store-ca" not in json.dumps(parts(pod)["main"])


def test_workers_are_told_how_to_reach_each_other():
    pod = pod_spec(order(nodes=2), SITE)
    name = ORDER.name
    assert pod["subdomain"] == name
    assert environment(parts(pod)["fetch"])["MLCTL_HOSTS"] == f"{name}-0.{name},{name}-1.{name}"
    assert "subdomain" not in pod_spec(ORDER, SITE)


def test_gpus_ask_for_their_kind_and_pass_the_taint_of_gpu_nodes():
    pod = pod_spec(order(GPU, tolerations=[Toleration(key="x")]), SITE)
    assert pod["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "x", "operator": "Exists"},
    ]
    assert "Tesla-P100-PCIE-16GB" in json.dumps(pod["affinity"])
    assert not {"tolerations", "affinity"} & set(pod_spec(ORDER, SITE))


def test_a_taints_value_counts_if_there_is_one():
    pod = pod_spec(order(tolerations=[Toleration(key="a", value="b"), Toleration(operator="Exists")]), SITE)
    assert pod["tolerations"] == [{"key": "a", "operator": "Equal", "value": "b"}, {"operator": "Exists"}]


def test_variables_from_secrets_and_config_maps():
    main = parts(pod_spec(order(secrets={"KEY": "wandb/api-key"}, env_from=["configmap/a", "secret/b"]), SITE))["main"]
    assert main["env"] == [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "wandb", "key": "api-key"}}}]
    assert main["envFrom"] == [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}]


def test_a_variable_of_the_spec_stands_for_ours():
    url = msgspec.structs.replace(TASK, data_mode="url")
    section = Kubernetes(secrets={"AWS_ACCESS_KEY_ID": "mine/id"})
    main = parts(pod_spec(msgspec.structs.replace(ORDER, task=url, kubernetes=section), SITE))["main"]
    assert environment(main)["AWS_ACCESS_KEY_ID"]["secretKeyRef"]["name"] == "mine"
    assert [one["name"] for one in main["env"]].count("AWS_ACCESS_KEY_ID") == 1


def test_the_engines_variables_are_those_of_this_machine_too():
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONWARNINGS": "ignore::FutureWarning"}
    section = Kubernetes(secrets={"PYTHONWARNINGS": "mine/warnings"})
    main = parts(pod_spec(msgspec.structs.replace(ORDER, environment=quiet, kubernetes=section), SITE))["main"]
    assert main["env"][0] == {"name": "OMP_WAIT_POLICY", "value": "PASSIVE"}
    assert [one["name"] for one in main["env"]] == ["OMP_WAIT_POLICY", "PYTHONWARNINGS"]
    assert "secretKeyRef" in main["env"][1]["valueFrom"]


def test_a_dollar_in_the_stores_name_stays_one():
    site = msgspec.structs.replace(SITE, store={"store": "s3://ml/$(MLCTL_POD)"})
    assert environment(parts(pod_spec(ORDER, site))["fetch"])["MLCTL_STORE"] == '{"store":"s3://ml/$$(MLCTL_POD)"}'


def test_volumes_of_the_spec():
    section = {
        "/datasets": Volume(pvc="shared", read_only=True),
        "/conf": Volume(config_map="settings"),
        "/keys": Volume(secret="wandb"),
        "/scratch": Volume(empty_dir="1.5Gi"),
    }
    pod = pod_spec(order(volumes=section, shm="1Gi", cache="2Gi", disk="3Gi"), SITE)
    sources = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: mount for mount in parts(pod)["main"]["volumeMounts"]}
    found = {path: sources[mount["name"]] for path, mount in mounts.items()}
    assert found["/datasets"]["persistentVolumeClaim"] == {"claimName": "shared"}
    assert mounts["/datasets"]["readOnly"] is True
    assert found["/conf"]["configMap"] == {"name": "settings"}
    assert found["/keys"]["secret"] == {"secretName": "wandb"}
    assert found["/scratch"]["emptyDir"] == {"sizeLimit": "1536Mi"}
    assert found["/dev/shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}
    assert found["/cache"]["emptyDir"] == {"sizeLimit": "2Gi"}
    assert found["/mlctl"]["emptyDir"] == {"sizeLimit": "3Gi"}


def test_images_come_from_the_contexts_registry_unless_the_spec_names_one():
    site = msgspec.structs.replace(SITE, image_registry="registry.lab:5000/mirror")
    found = parts(pod_spec(ORDER, site))
    assert found["main"]["image"] == "registry.lab:5000/mirror/mlctl/mxnet-1.9:1.9.1-cpu"
    assert found["sync"]["image"] == "registry.lab:5000/mirror/mlctl/runtime:0.1.0"
    assert parts(pod_spec(order(image="ghcr.io/a/b:1"), site))["main"]["image"] == "ghcr.io/a/b:1"


@pytest.mark.parametrize(
    ("image", "moved"),
    [
        ("python:3.11", "r.lab/m/python:3.11"),
        ("mlctl/runtime", "r.lab/m/mlctl/runtime"),
        ("ghcr.io/org/image@sha256:0", "r.lab/m/org/image@sha256:0"),
        ("localhost:5000/x:1", "r.lab/m/x:1"),
        ("localhost/x", "r.lab/m/x"),
    ],
)
def test_an_image_keeps_all_but_its_registry(image, moved):
    assert from_registry(image, "r.lab/m/") == moved
    assert from_registry(image, "") == image


def test_the_specs_own_words_are_merged_into_the_pod():
    section = {
        "hostNetwork": True,
        "containers": [{"name": "main", "env": [{"name": "A", "value": "1"}]}],
        "volumes": [{"name": "cache", "emptyDir": None, "persistentVolumeClaim": {"claimName": "fast"}}],
    }
    pod = pod_spec(order(pod=section), SITE)
    assert pod["hostNetwork"] is True
    assert environment(parts(pod)["main"]) == {"A": "1"}
    assert parts(pod)["main"]["image"] == ORDER.image
    assert {"name": "cache", "persistentVolumeClaim": {"claimName": "fast"}} in pod["volumes"]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"initContainers": [{"name": "sync", "$patch": "delete"}]}, "leaves no container `sync`"),
        ({"initContainers": None}, "leaves no container `fetch`"),
        ({"containers": [{"$patch": "replace"}, {"name": "x", "image": "y"}]}, "leaves no container `main`"),
        ({"containers": [{"name": "main", "image": None}]}, "leaves no container `main`"),
        ({"containers": [{"name": "main", "command": ["python"]}]}, "must not change what the container `main` is"),
        ({"containers": [{"name": "main", "args": ["-x"]}]}, "must not change what the container `main` is"),
        ({"restartPolicy": "OnFailure"}, "must leave `restartPolicy: Never`"),
        ({"containers": "x"}, "`kubernetes.pod.containers` must be a list of mappings"),
    ],
)
def test_what_a_job_cannot_work_without_stays(section, message):
    with pytest.raises(SpecError, match=message):
        pod_spec(order(pod=section), SITE)


def test_an_order_needs_no_cluster():
    import subprocess
    import sys

    code = "import orchestrator.backends.kubernetes.job, sys; sys.exit('kubernetes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert isinstance(ORDER, Order)
