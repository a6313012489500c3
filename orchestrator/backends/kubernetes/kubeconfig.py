"""How the cluster of a context is reached: the user's kubeconfig, or the pod's own service account."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.backends.kubernetes.official import load_lightly
from orchestrator.config import Context
from orchestrator.errors import ClusterError, NotFoundError, PermissionDeniedError, UsageError
from orchestrator.specs.names import nearest

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
CONNECTIONS = 8  # kept open; as many requests as this are made at once
_HINT = "name a kubeconfig: export KUBECONFIG=/some/file, or mlctl context add --kubeconfig FILE"


def connect(context: Context) -> "ApiClient":
    """Return the official client for a context's cluster; nothing is asked of it yet.

    Args:
        context: Its `kubeconfig` and `kube_context` choose; by default KUBECONFIG or ~/.kube/config and the context
            that is current there, and inside of a pod its service account.

    Raises:
        NotFoundError: There is no kubeconfig, or no such context in it.
        UsageError: It is not valid.
        PermissionDeniedError: The program that gives the credentials failed.
    """
    import yaml

    load_lightly()
    from kubernetes import client, config

    settings = client.Configuration()
    settings.retries = 0  # `api` knows better what may be repeated
    settings.connection_pool_maxsize = CONNECTIONS
    if not context.kubeconfig and not context.kube_context and _is_in_pod():
        config.load_incluster_config(client_configuration=settings)
        return client.ApiClient(settings)
    place = context.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    files = [Path(file).expanduser() for file in place.split(os.pathsep) if file]
    if not any(file.is_file() for file in files):
        raise NotFoundError(f"there is no kubeconfig at {place}", hint=_HINT)
    try:
        _require_context(place, context.kube_context)
        config.load_kube_config(place, context.kube_context or None, settings, persist_config=False)
    except config.ConfigException as error:
        raise _invalid(place, error) from error
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        yaml.YAMLError,
    ) as error:  # whatever a mangled file makes of it
        raise UsageError(f"kubeconfig {place} is not valid: {error}", hint=_HINT) from error
    settings.verify_ssl = settings.verify_ssl is not False
    return client.ApiClient(settings)


def host_of(client: "ApiClient") -> str:
    """Return the API server's address, as in `10.0.0.1:6443`."""
    host: str = client.configuration.host
    return host.partition("://")[2] or host


def _is_in_pod() -> bool:
    return IN_CLUSTER.exists() and bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and "KUBECONFIG" not in os.environ


def _require_context(place: str, wanted: str) -> None:
    from kubernetes import config

    contexts, _ = config.list_kube_config_contexts(place)
    names = [str(context["name"]) for context in contexts]
    if wanted and wanted not in names:
        near = nearest(wanted, names)
        meant = f"; did you mean {near}?" if near else f"; known: {', '.join(sorted(names)) or 'none'}"
        raise NotFoundError(f"kubeconfig {place} has no context {wanted!r}{meant}", hint="kubectl config get-contexts")


def _invalid(place: str, error: Exception) -> ClusterError | PermissionDeniedError | UsageError:
    text = str(error).strip()
    if text.startswith("exec"):
        return PermissionDeniedError(f"the login program of kubeconfig {place} failed: {text}", hint="log in again")
    return UsageError(f"kubeconfig {place} is not valid: {text}", hint=_HINT)
