import base64

import pytest

from orchestrator.backends.kubernetes.secret import secret_manifest, secret_name
from tests.kubernetes_schemas import VERSIONS, problems

KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_SESSION_TOKEN": "", "AWS_REGION": "x"}


@pytest.mark.parametrize("version", VERSIONS)
def test_it_holds_the_keys_and_nothing_else(version):
    secret = secret_manifest("mlctl-store-0", "ml", KEYS, ca_bundle=b"PEM")
    assert problems(secret, version) == []
    assert {key: base64.b64decode(value) for key, value in secret["data"].items()} == {
        "AWS_ACCESS_KEY_ID": b"id",
        "AWS_SECRET_ACCESS_KEY": b"s3cret",
        "ca.crt": b"PEM",
    }
    assert "ca.crt" not in secret_manifest("mlctl-store-0", "ml", KEYS)["data"]


def test_each_access_key_has_its_own_and_its_renewal_the_same():
    name = secret_name("s3://ml/a", "https://minio.lab", "id")
    assert name == secret_name("s3://ml/a", "https://minio.lab", "id")
    assert len({name, secret_name("s3://ml/a", "", "id"), secret_name("s3://ml/a", "https://minio.lab", "other")}) == 3
