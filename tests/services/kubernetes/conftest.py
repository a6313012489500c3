"""Services on the stand-in cluster; their models are a few lines of Python, their engine's image a bare Python."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from orchestrator import config
from orchestrator.client import Client
from orchestrator.models.record import ModelVersion
from tests.buckets import Bucket
from tests.jobs.conftest import Project, project
from tests.kubernetes.clusters import Cluster
from tests.kubernetes.conftest import cluster, standin
from tests.kubernetes.standin import Standin, ours
from tests.models.packages import below
from tests.services.conftest import CONFIG, ECHO
from tests.store.trees import make_tree

__all__ = ["cluster", "project", "standin"]


@pytest.fixture
def client(
    project: Project,
    cluster: Cluster,
    standin: Standin,
    bucket_url: str,
    s3: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Client]:
    # The stand-in knows at once that a pod is about to end.
    monkeypatch.setattr("orchestrator.services.kubernetes.pod.LEAVE", 1)
    config.add_context(
        config.Context(
            name="lab",
            store=bucket_url,
            endpoint=s3.endpoint,
            backend="kubernetes",
            kubeconfig=str(cluster.kubeconfig),
            namespace=cluster.namespace,
            runtime_image="mlctl/runtime:test",
        )
    )
    for image in ("runtime", "plain"):
        standin.images.add(image, ours())
    yield Client("lab")


@pytest.fixture
def model(client: Client, tmp_path: Path) -> Callable[..., ModelVersion]:
    """Give a function that makes a version whose answers say `answer`."""

    def make(answer: str, source: str = ECHO, files: Mapping[str, Path] = {}, **config: object) -> ModelVersion:
        own = {
            "config.json": json.dumps(json.loads(CONFIG) | config),
            "customize_service.py": source.replace("ANSWER", answer),
        }
        return client.models.import_(str(make_tree(tmp_path / answer, below("model", own))), "echo", files)

    return make
