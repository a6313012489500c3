"""The Secret with a store's keys, from which pods read them."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from orchestrator.backends.kubernetes.environment import KEYS
from orchestrator.backends.kubernetes.names import MANAGED_BY, MANAGER
from orchestrator.backends.kubernetes.volumes import CA_FILE

Json = dict[str, Any]

_SHOWN = 10  # characters of the hash


def secret_name(store: str, endpoint: str, access_key: str) -> str:
    """Return the name of the Secret of a store: each access key has its own, so that nobody changes another's."""
    return f"mlctl-store-{hashlib.sha256(f'{endpoint} {store} {access_key}'.encode()).hexdigest()[:_SHOWN]}"


def secret_manifest(name: str, namespace: str, keys: Mapping[str, str], *, ca_bundle: bytes = b"") -> Json:
    """Return the Secret.

    Args:
        name: As by `secret_name`.
        namespace: Where the jobs run.
        keys: By the names of the AWS variables; empty ones are left out.
        ca_bundle: PEM text of the authorities to trust; may be empty.
    """
    data = {key: keys[key].encode() for key in KEYS if keys.get(key)} | ({CA_FILE: ca_bundle} if ca_bundle else {})
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": MANAGER, MANAGED_BY: MANAGER},
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }
