import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import SpecError
from orchestrator.specs.document import parse_document
from orchestrator.specs.load import load_job_spec
from orchestrator.specs.schema import job_schema

from .examples import FULL, MINIMAL, parse

ROOT = Path(__file__).parents[2]
SCHEMA = jsonschema.Draft202012Validator(job_schema())


def accepted(text: str) -> bool:
    try:
        parse(text)
    except SpecError:
        return False
    return True


def test_the_schema_is_valid_and_the_committed_one_is_current():
    jsonschema.Draft202012Validator.check_schema(job_schema())
    committed = json.loads((ROOT / "docs/job.schema.json").read_text())
    assert committed == job_schema(), "write it again: mlctl schema job > docs/job.schema.json"


@pytest.mark.parametrize("path", sorted(ROOT.glob("job_specs/[!s]*.yaml")), ids=lambda path: path.name)
def test_the_ready_specs_are_valid(path):
    SCHEMA.validate(parse_document(path.read_bytes(), path.name).data)
    loaded = load_job_spec(path)
    assert (loaded.resolve(loaded.spec.code) / loaded.spec.boot_file).is_file()


def test_every_field_is_described_with_a_right_example():
    for definition in (job_schema(), *job_schema()["$defs"].values()):
        assert definition["additionalProperties"] is False
        for name, field in definition["properties"].items():
            assert field["description"].endswith(".")
            validator = jsonschema.Draft202012Validator({**field, "$defs": job_schema()["$defs"]})
            assert [name for example in field["examples"] if not validator.is_valid(example)] == []


SECTIONS = [None, {}, [], "x", {"x": 1}, {"flavor": "cpu.small"}, {"name": "m"}, {"1": "1"}, {"a": None}]
NUMBERS = [True, False, -1, 0, 1, 2, 90, 4 * 10**8, 0.5, -0.5]
TEXTS = ["", "a", "A", "a-b", "a.b", "a-", "9a", "a" * 53, "local", "url", "a\nb", "x" * 1025]
PATHS = [".", "..", "/a", "a/b", "a/../b", "./a", "~", "a.py", "b/a.py", "./a.py", "../a.py", "/a.py", ".py"]
URLS = ["s3://bucket", "s3://b", "obs://bucket/x", "file:///x", "file://x", "gs://x", "dataset://a", "dataset://a@v1"]
AMOUNTS = ["dataset://a@v0", "dataset://A", "1h", "1h30m", "30m1h", "1Gi", "1.5Gi", "1gb", "512m", "-1Gi"]
VALUES = st.sampled_from([*SECTIONS, *NUMBERS, *TEXTS, *PATHS, *URLS, *AMOUNTS])
RESOURCES = st.dictionaries(st.sampled_from(["flavor", "cpus", "memory", "gpus", "gpu_type", "nodes", "gpu"]), VALUES)
TABLES = st.dictionaries(
    st.sampled_from(["a", "A_1", "1", "data_url", "train_url", "data_urls", "a b", "a-b", "-a", "a.b", "a=b", ""]),
    VALUES,
)
WORDS = ["Exists", "Equal", "NoExecute", "NoSchedule", "restricted", "image", "restrictd", "Never", "1d", "0s", 300]
NAMES = ["a/b", "a.b/c", "A/b", "secret/a", "configmap/a.b", "a:b/c", "a b", "mlctl/x", "x:1", "a/B:1", "UP/case", "-a"]
MOUNTS = ["/data", "/mlctl", "/mlctl/x", "/mlctls", "/", "data", "/a/../b", "/a:b", "/a/", "//a", "/dev/shm", "/cache"]
CLUSTER_VALUES = st.one_of(VALUES, st.sampled_from([*WORDS, *NAMES]))
TOLERATIONS = st.dictionaries(
    st.sampled_from(["key", "operator", "value", "effect", "toleration_seconds", "seconds"]), CLUSTER_VALUES
)
VOLUMES = st.dictionaries(
    st.sampled_from(["pvc", "empty_dir", "config_map", "secret", "read_only", "path"]), CLUSTER_VALUES, max_size=2
)
CLUSTER_TABLES = st.dictionaries(
    st.sampled_from([*NAMES, *MOUNTS, "a", "app.kubernetes.io/name"]), st.one_of(CLUSTER_VALUES, VOLUMES), max_size=2
)
CLUSTER_LISTS = st.lists(st.one_of(CLUSTER_VALUES, TOLERATIONS), max_size=2)
CLUSTER = st.dictionaries(
    st.sampled_from([*job_schema()["$defs"]["Kubernetes"]["properties"], "gpu"]),
    st.one_of(CLUSTER_VALUES, CLUSTER_TABLES, CLUSTER_LISTS),
    max_size=3,
)
TOP = st.sampled_from([*job_schema()["properties"], "other"])
METRICS = st.dictionaries(
    st.sampled_from(["a", "1", "val/loss", "a b"]), st.sampled_from(["x", "(x)", "a: (.*)", 1, "minimize"])
)
KINDS = {
    "metrics": METRICS,
    "goals": METRICS,
    "resources": RESOURCES,
    "parameters": TABLES,
    "env": TABLES,
    "variables": TABLES,
    "kubernetes": CLUSTER,
}


@settings(max_examples=700, deadline=None)
@given(st.data())
def test_the_schema_and_the_loader_agree(data):
    spec = yaml.safe_load(data.draw(st.sampled_from([MINIMAL, FULL])).replace("${BUCKET}", "bucket"))
    spec["parameters"] = {"lr": 0.5}  # PyYAML takes 1e-3 for text
    for key in data.draw(st.lists(TOP, max_size=2)):
        kind = KINDS.get(key, VALUES)
        spec[key] = data.draw(st.one_of(kind, kind, VALUES))
    for key in data.draw(st.lists(TOP, max_size=1)):
        spec.pop(key, None)
    if "variables" in spec and isinstance(spec["variables"], dict):
        # That the environment must have a variable is beyond a schema.
        spec["variables"] = {name: "x" if value is None else value for name, value in spec["variables"].items()}
    resources = spec.get("resources")
    if isinstance(resources, dict) and isinstance(resources.get("flavor"), str):
        resources["flavor"] = "cpu.small"  # which flavors there are is beyond it too
    assert accepted(json.dumps(spec)) == SCHEMA.is_valid(spec)


@given(CLUSTER)
@settings(max_examples=250, deadline=None)
def test_the_schema_and_the_loader_agree_about_clusters(section):
    spec = {**yaml.safe_load(MINIMAL), "kubernetes": section}
    assert accepted(json.dumps(spec)) == SCHEMA.is_valid(spec)


@given(st.one_of(TOLERATIONS, st.fixed_dictionaries({"key": st.just("a"), "operator": st.just("Exists")})))
@settings(max_examples=100, deadline=None)
def test_the_schema_and_the_loader_agree_about_tolerations(toleration):
    spec = {**yaml.safe_load(MINIMAL), "kubernetes": {"tolerations": [toleration]}}
    assert accepted(json.dumps(spec)) == SCHEMA.is_valid(spec)


def test_text_with_a_reference_is_accepted_wherever_text_is():
    SCHEMA.validate({**yaml.safe_load(FULL), "parameters": {}, "name": "${NAME}", "boot_file": "${NAME}"})
