"""Buckets for the tests: in SeaweedFS, started once, or of any service that MLCTL_TEST_S3_ENDPOINT names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from orchestrator.store.serve import S3Server

BUCKET = "mlctl-test"
PROFILE = "lab"


class Bucket(msgspec.Struct, frozen=True):
    """A bucket with the keys to it.

    Attributes:
        endpoint: Of the service.
        name: Of the bucket.
        environment: Variables with the keys.
        home: Of an mlctl that has proven its conditional writes.
        own: Whether its server was started here, and speaks plain HTTP.
    """

    endpoint: str
    name: str
    environment: dict[str, str]
    home: Path
    own: bool


@contextmanager
def open_bucket(folder: Path) -> Iterator[Bucket]:
    """Yield the bucket for a test session.

    Another service is tested by MLCTL_TEST_S3_ENDPOINT, MLCTL_TEST_S3_BUCKET (which must exist) and the AWS variables.
    """
    if endpoint := os.environ.get("MLCTL_TEST_S3_ENDPOINT"):
        keys = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        yield Bucket(endpoint, os.environ.get("MLCTL_TEST_S3_BUCKET", BUCKET), keys, folder, own=False)
        return
    server = S3Server(folder / "server")
    server.start()
    try:
        server.make_bucket(BUCKET)
        keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        yield Bucket(server.endpoint, BUCKET, keys, folder, own=True)
    finally:
        server.kill()
