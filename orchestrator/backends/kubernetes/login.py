"""Users who log in by a program or a provider of identities: the official client knows how."""

from pathlib import Path

from orchestrator.backends.kubernetes.access import Access, trust
from orchestrator.backends.kubernetes.official import load_lightly
from orchestrator.errors import PermissionDeniedError


def log_in(place: str, name: str) -> Access:
    """Return how a context of a kubeconfig is reached.

    Args:
        place: Path of the kubeconfig, or several as in KUBECONFIG.
        name: Of the context.

    Raises:
        PermissionDeniedError: That gave no credentials.
        ValueError: The kubeconfig is not valid.
        OSError: A file cannot be read.
    """
    load_lightly()
    from kubernetes import client, config

    settings = client.Configuration()
    try:
        config.load_kube_config(place, name, settings, persist_config=False)
    except config.ConfigException as error:
        raise ValueError(str(error).strip()) from error

    def authorization() -> str:
        found: str | None = settings.get_api_key_with_prefix("authorization")  # which may log in again
        return found or (settings.get_basic_auth_token() if settings.username else "")

    if not authorization() and not settings.cert_file:  # the client has noted why on stderr
        hint = "log in again; does this work? kubectl auth whoami"
        raise PermissionDeniedError(f"logging in by kubeconfig {place} gave no credentials", hint=hint)
    tls = trust(
        settings.host,
        authority=_file(settings.ssl_ca_cert),
        certificate=_file(settings.cert_file),
        key=_file(settings.key_file),
        verify=settings.verify_ssl is not False,
    )
    return Access(settings.host, tls, settings.tls_server_name or "", authorization)


def _file(path: str | None) -> Path | None:
    return Path(path) if path else None
