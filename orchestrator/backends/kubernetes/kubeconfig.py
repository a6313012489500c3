"""How the cluster of a context is reached: the user's kubeconfig, or the pod's own service account.

What most kubeconfigs have, a token or a certificate, is read here; whoever logs in otherwise, as `login` does.
"""

import os
from base64 import b64decode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.backends.kubernetes.access import Access, trust
from orchestrator.config import Context
from orchestrator.errors import NotFoundError, UsageError
from orchestrator.specs.names import nearest

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PLAIN = {
    "token",
    "tokenFile",
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
}
_HINT = "name a kubeconfig: export KUBECONFIG=/some/file, or mlctl context add --kubeconfig FILE"


class _Entry(NamedTuple):
    """A cluster, user or context of a kubeconfig, and the folder that its paths begin from."""

    value: dict[str, Any]
    folder: Path

    def content(self, name: str) -> Path | bytes | None:
        """Return what stands there in base64, or the file that is named."""
        if data := self.value.get(f"{name}-data"):
            return b64decode(data)
        return self.folder / self.value[name] if self.value.get(name) else None


class _Kubeconfig(NamedTuple):
    """All files together: of the same name the first counts."""

    clusters: dict[str, _Entry]
    users: dict[str, _Entry]
    contexts: dict[str, _Entry]
    current: str


def connect(context: Context) -> Access:
    """Return how a context's cluster is reached; nothing is asked of it yet.

    Args:
        context: Its `kubeconfig` and `kube_context` choose; by default KUBECONFIG or ~/.kube/config and the context
            that is current there, and inside of a pod its service account.

    Raises:
        NotFoundError: There is no kubeconfig, or no such context in it.
        UsageError: It is not valid.
        PermissionDeniedError: The program that gives the credentials failed.
    """
    import yaml

    if not context.kubeconfig and not context.kube_context and _is_in_pod():
        return _of_pod()
    place = context.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    files = [Path(file).expanduser() for file in place.split(os.pathsep) if file]
    if not any(file.is_file() for file in files):
        raise NotFoundError(f"there is no kubeconfig at {place}", hint=_HINT)
    try:
        return _access(_read([file for file in files if file.is_file()]), place, context.kube_context)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError) as error:  # of a mangled file
        told = f"{error} is missing" if isinstance(error, KeyError) else error
        raise UsageError(f"kubeconfig {place} is not valid: {told}", hint=_HINT) from error


def _is_in_pod() -> bool:
    there = (SERVICE_ACCOUNT / "token").exists() and bool(os.environ.get("KUBERNETES_SERVICE_HOST"))
    return there and "KUBECONFIG" not in os.environ


def _of_pod() -> Access:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    tls = trust(server, authority=SERVICE_ACCOUNT / "ca.crt")
    return Access(server, tls, authorization=_token_in(SERVICE_ACCOUNT / "token"))


def _read(files: Sequence[Path]) -> _Kubeconfig:
    import yaml

    found = _Kubeconfig({}, {}, {}, "")
    for file in files:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        for entries, kind in ((found.clusters, "cluster"), (found.users, "user"), (found.contexts, "context")):
            for item in content.get(f"{kind}s") or ():
                entries.setdefault(str(item["name"]), _Entry(item.get(kind) or {}, file.parent))
        found = found._replace(current=found.current or content.get("current-context") or "")
    return found


def _access(config: _Kubeconfig, place: str, wanted: str) -> Access:
    name = wanted or config.current
    if not name:
        raise ValueError("it has no current-context")
    if name not in config.contexts:
        near = nearest(name, list(config.contexts))
        known = ", ".join(sorted(config.contexts)) or "none"
        meant = f"; did you mean {near}?" if near else f"; known: {known}"
        raise NotFoundError(f"kubeconfig {place} has no context {name!r}{meant}", hint="kubectl config get-contexts")
    chosen = config.contexts[name].value
    cluster = config.clusters[chosen["cluster"]]
    user = config.users[chosen["user"]] if chosen.get("user") else _Entry({}, cluster.folder)
    if user.value.keys() - _PLAIN:
        from orchestrator.backends.kubernetes.login import log_in

        return log_in(place, name)._replace(proxy=cluster.value.get("proxy-url") or "")
    server = cluster.value["server"].rstrip("/")
    tls = trust(
        server,
        authority=cluster.content("certificate-authority"),
        certificate=user.content("client-certificate"),
        key=user.content("client-key"),
        verify=not cluster.value.get("insecure-skip-tls-verify"),
    )
    return Access(
        server, tls, cluster.value.get("tls-server-name") or "", _token(user), cluster.value.get("proxy-url") or ""
    )


def _token(user: _Entry) -> Callable[[], str]:
    if file := user.value.get("tokenFile"):
        return _token_in(user.folder / file)
    token = user.value.get("token")
    return lambda: f"Bearer {token}" if token else ""


def _token_in(file: Path) -> Callable[[], str]:
    """Return what reads a token, which is renewed now and then."""
    return lambda: f"Bearer {file.read_text(encoding='utf-8').strip()}"
