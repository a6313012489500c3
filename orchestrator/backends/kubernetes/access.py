"""Where an API server is, and what proves to it who asks."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl


class Access(NamedTuple):
    """How a cluster is reached.

    Attributes:
        server: URL of its API, which may have a path.
        tls: Whom to trust, and the user's own certificate; None of a plain `http` server.
        server_name: Which the server's certificate is for, if that is not its host.
        authorization: Returns the header of that name for one request; empty if there is none.
        proxy: URL of an HTTP proxy to go through.
    """

    server: str
    tls: "ssl.SSLContext | None" = None
    server_name: str = ""
    authorization: Callable[[], str] = str
    proxy: str = ""

    @property
    def host(self) -> str:
        """Return the API server's address, as in `10.0.0.1:6443`."""
        return self.server.partition("://")[2] or self.server


def trust(
    server: str,
    *,
    authority: Path | bytes | None = None,
    certificate: Path | bytes | None = None,
    key: Path | bytes | None = None,
    verify: bool = True,
) -> "ssl.SSLContext | None":
    """Return whom to trust, and the user's own certificate.

    Args:
        server: URL; nothing is needed for plain `http`.
        authority: PEM of those who sign the server's certificate, or its file; None is the system's own.
        certificate: PEM of the user's certificate, or its file.
        key: The same of its key; None if the certificate's PEM has it.
        verify: Whether the server has to prove who it is.

    Raises:
        OSError: A file cannot be read, or is not PEM.
    """
    if not server.startswith("https:"):
        return None
    import ssl

    data = authority.decode() if isinstance(authority, bytes) else None
    context = ssl.create_default_context(cafile=authority if isinstance(authority, Path) else None, cadata=data)
    # The authorities of many clusters lack extensions that RFC 5280 asks for; kubectl does not mind either.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        with tempfile.TemporaryDirectory() as folder:  # there is no other way to hand them over
            context.load_cert_chain(
                _as_file(certificate, folder, "certificate"), key and _as_file(key, folder, "key"), password=""
            )
    return context


def _as_file(content: Path | bytes, folder: str, name: str) -> Path:
    if isinstance(content, Path):
        return content
    file = Path(folder, name)
    file.write_bytes(content)
    return file
