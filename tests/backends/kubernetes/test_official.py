"""The official client, loaded without what nobody here needs, is whole for everybody else in the same program."""

import subprocess
import sys

import pytest

LIGHT = """
import importlib.metadata, sys
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
assert kubernetes.__version__ == importlib.metadata.version("kubernetes") and "V1Pod" in dir(client)
from kubernetes.client import *
assert VersionApi is client.VersionApi
"""
THREADS = """
import faulthandler, random, threading
faulthandler.dump_traceback_later(120, exit=True)
sys.setswitchinterval(1e-5)
from importlib import import_module
from orchestrator.backends.kubernetes.official import load_lightly
NAMES = ["dynamic", "watch", "utils", "stream", "config", "client.CoreV1Api", "client.V1Pod", "client.models.V1Job"]
MODULES = ["dynamic", "utils", "stream", "client.api.batch_v1_api", "watch"]
barrier, wrong, order = threading.Barrier(15), [], random.Random(int(sys.argv[1]))

def light():
    from kubernetes import client, config
    from kubernetes.client.exceptions import ApiException
    client.ApiClient(client.Configuration())

def whole(names):
    for name in names:
        found = import_module("kubernetes")
        for part in name.split("."):
            found = getattr(found, part)

def parts(names):
    for name in names:
        import_module(f"kubernetes.{name}")

def run(work, *arguments):
    barrier.wait()
    try:
        load_lightly()
        work(*arguments)
    except BaseException as error:
        wrong.append(repr(error))

users = [(light,)] * 5
users += [(whole, order.sample(NAMES, len(NAMES))) for _ in range(5)]
users += [(parts, order.sample(MODULES, len(MODULES))) for _ in range(5)]
threads = [threading.Thread(target=run, args=user) for user in users]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong, wrong
"""


def run(source: str, *arguments: str) -> None:
    done = subprocess.run([sys.executable, "-c", source, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_neither_models_nor_apis_are_loaded() -> None:
    run(LIGHT)


def test_whoever_wants_more_of_it_gets_it() -> None:
    run(LIGHT + WHOLE)


def test_one_that_is_loaded_already_is_taken_as_it_is() -> None:
    load, _, _ = LIGHT.partition("models =")
    run(f"import kubernetes.client\nbefore = kubernetes.client\n{load}\nassert client is before")


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_threads_that_want_different_parts_of_it_at_once_do_not_wait_for_each_other(seed: str) -> None:
    run(f"import sys\n{THREADS}", seed)
