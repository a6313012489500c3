"""Clusters for the tests: the stand-in, or the real one that MLCTL_TEST_KUBECONFIG names."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.kubernetes.standin import Settings, Standin
from tests.kubernetes.standin.resources import Object, named

VARIABLE = "MLCTL_TEST_KUBECONFIG"
IMAGE = os.environ.get("MLCTL_TEST_IMAGE", "busybox")
"""An image with a shell, which a real cluster must have or be able to get."""


class Answer(NamedTuple):
    """Of an API server."""

    status: int
    headers: Any
    body: Any


class Cluster:
    """A namespace of a cluster, and the official client for it.

    Attributes:
        kubeconfig: For its context.
        namespace: Whose content is the test's.
        standin: Behind it; None if it is real.
    """

    def __init__(self, kubeconfig: Path, namespace: str, standin: Standin | None) -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self.standin = standin

    @cached_property
    def client(self) -> Any:
        """The official client, made to show each answer instead of trying again after 429 and 503."""
        from kubernetes import config

        client = config.new_client_from_config(str(self.kubeconfig))
        client.rest_client.pool_manager.connection_pool_kw["retries"] = False
        return client

    @cached_property
    def core(self) -> Any:
        """The official client's calls of the core group."""
        from kubernetes.client import CoreV1Api

        return CoreV1Api(self.client)

    @cached_property
    def batch(self) -> Any:
        """The official client's calls of the batch group."""
        from kubernetes.client import BatchV1Api

        return BatchV1Api(self.client)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, str] | None = None,
        kind: str = "application/json",
    ) -> Answer:
        """Ask by HTTP.

        Args:
            method: Of HTTP.
            path: Of a group and below the namespace, such as `api/v1:pods/x/log`.
            body: As Python objects.
            query: Parameters.
            kind: Of the body.

        Returns:
            The code, the headers and the JSON of the answer.
        """
        from kubernetes.client import ApiException

        group, _, rest = path.partition(":")
        try:
            answer = self.client.call_api(
                f"/{group}/namespaces/{self.namespace}/{rest}",
                method,
                query_params=list((query or {}).items()),
                header_params={"Content-Type": kind, "Accept": "application/json"},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
            )
        except ApiException as error:
            is_json = (error.headers or {}).get("Content-Type", "").startswith("application/json")
            return Answer(error.status, error.headers or {}, json.loads(error.body) if is_json else error.body)
        return Answer(answer.status, answer.headers, json.loads(answer.data))

    def get(self, plural: str, name: str) -> Object:
        """Read an object."""
        answer = self.call("GET", f"{group(plural)}:{plural}/{name}")
        assert answer.status == 200, answer.body
        return answer.body


def group(plural: str) -> str:
    """Give the path of a resource's group, such as `apis/batch/v1`."""
    resource = named(plural)
    return f"{'apis' if resource.group else 'api'}/{resource.api_version}"


def is_real() -> bool:
    """Say whether the tests run against a real cluster."""
    return VARIABLE in os.environ


@contextmanager
def open_cluster(folder: Path, settings: Settings | None = None) -> Iterator[Cluster]:
    """Yield a namespace for a test.

    Args:
        folder: For the stand-in's files.
        settings: Of the stand-in; a real cluster has its own, so the test is skipped there.
    """
    if is_real() and settings:
        pytest.skip("needs settings that a real cluster does not have")
    if is_real():
        cluster = Cluster(Path(os.environ[VARIABLE]), f"mlctl-test-{secrets.token_hex(4)}", None)
        cluster.core.create_namespace({"metadata": {"name": cluster.namespace}})
        try:
            yield cluster
        finally:
            cluster.core.delete_namespace(cluster.namespace)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with Standin(folder, settings) as standin:
        yield Cluster(standin.kubeconfig(), "default", standin)
