"""The official client, loaded without what nobody here needs, is whole for everybody else in the same program."""

import subprocess
import sys

LIGHT = """
import sys
from orchestrator.backends.kubernetes.official import load_lightly
load_lightly()
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
client.ApiClient(client.Configuration())
models = [name for name in sys.modules if name.startswith("kubernetes.client.models.")]
assert not models, models
assert "kubernetes.client.api" not in sys.modules
"""
WHOLE = """
from concurrent.futures import ThreadPoolExecutor
import kubernetes
kept = client.ApiClient
with ThreadPoolExecutor(8) as pool:
    assert len({*pool.map(lambda _: client.CoreV1Api, range(32))}) == 1
from kubernetes.client import BatchV1Api, V1Pod
from kubernetes.client.models import V1Job
assert kubernetes.watch.Watch and kubernetes.client is client
assert client.ApiClient is kept and client.ApiException is ApiException and client.rest.ApiException is ApiException
pod = V1Pod(metadata=client.V1ObjectMeta(name="x"))
assert client.ApiClient().sanitize_for_serialization(pod) == {"metadata": {"name": "x"}}
assert client.ApiClient()._ApiClient__deserialize({"metadata": {"name": "x"}}, "V1Pod") == pod
assert not hasattr(client, "no_such_thing") and not hasattr(kubernetes, "__no_such_thing__")
"""


def run(source: str) -> None:
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_neither_models_nor_apis_are_loaded() -> None:
    run(LIGHT)


def test_whoever_wants_more_of_it_gets_it() -> None:
    run(LIGHT + WHOLE)


def test_one_that_is_loaded_already_is_taken_as_it_is() -> None:
    load, _, _ = LIGHT.partition("models =")
    run(f"import kubernetes.client\nbefore = kubernetes.client\n{load}\nassert client is before")
