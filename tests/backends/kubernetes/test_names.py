import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.backends.kubernetes.names import host_names, job_name, labels
from orchestrator.errors import UsageError
from orchestrator.specs.names import format_version

from .examples import JOB_NAMES, RUNS

HOST = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
VERSIONS = st.integers(1, 999_999_999).map(format_version)


@given(JOB_NAMES, VERSIONS, RUNS, st.integers(1, 9999))
def test_every_job_and_pod_has_a_name_that_dns_takes(job, version, run, nodes):
    name = job_name(job, version, run, nodes=nodes)
    assert HOST.fullmatch(name)
    for host in host_names(name, nodes)[-1:]:
        assert all(HOST.fullmatch(part) for part in host.split("."))
    assert name == job_name(job, version, run), "it depends on nothing but the record"


@given(JOB_NAMES, VERSIONS, st.lists(RUNS, min_size=2, max_size=2, unique=True))
def test_another_run_has_another_name(job, version, runs):
    assert job_name(job, version, runs[0]) != job_name(job, version, runs[1])


def test_names_are_readable():
    assert re.fullmatch("mnist-mxnet-v0003-[0-9a-f]{6}", job_name("mnist-mxnet", "V0003", "4f1a2b3c"))
    assert job_name("a" * 39 + "-b", "V0001", "0").startswith("a" * 39 + "-v0001-")
    name = job_name("mnist", "V0001", "0")
    assert host_names(name, 2) == [f"{name}-0.{name}", f"{name}-1.{name}"]


def test_too_many_nodes_are_refused():
    with pytest.raises(UsageError, match="100000 nodes are more than a job of V999999999 can have"):
        job_name("a" * 52, "V999999999", "0", nodes=100_000)


@given(JOB_NAMES, VERSIONS, RUNS)
def test_labels_are_ones_that_kubernetes_takes(job, version, run):
    found = labels(job, version, run, job_name(job, version, run))
    assert found["app.kubernetes.io/managed-by"] == "mlctl"
    assert all(re.fullmatch(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", value) for value in found.values())
