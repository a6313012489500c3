"""HTTP to an API server, over connections that are kept: what Python itself has, as it loads in a fifth of the time."""

import functools
import http.client
import os
from collections import deque
from collections.abc import Mapping
from urllib.parse import unquote, urlencode, urlsplit

from orchestrator.backends.kubernetes.access import Access

CONNECT_TIMEOUT = 4.0  # seconds
KEPT = 8  # idle connections
_PROXIES = ("https_proxy", "all_proxy")  # variables, in small or capital letters


class Answer:
    """What a server answers; close it.

    Attributes:
        status: Of HTTP.
        headers: Of the answer; capital letters do not matter.
    """

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        kept: deque[http.client.HTTPConnection],
    ) -> None:
        self.status = response.status
        self.headers = response.headers
        self._connection = connection
        self._response = response
        self._kept = kept

    def read(self) -> bytes:
        """Return the whole body. Raises OSError or HTTPException if the connection breaks."""
        return self._response.read()

    def read1(self, size: int) -> bytes:
        """Return what has come of the body, at least a byte but at its end. Raises as `read`."""
        return self._response.read1(size)

    def close(self) -> None:
        """Keep the connection, if the body was read to its end."""
        if self._response.isclosed() and self._connection.sock is not None and len(self._kept) < KEPT:
            self._kept.append(self._connection)
        else:
            self._response.close()
            self._connection.close()


class Wire:
    """The connections to one server; for many threads at once.

    Args:
        access: To it.
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self._kept: deque[http.client.HTTPConnection] = deque()
        self._server = urlsplit(access.server)

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        read_timeout: float,
    ) -> Answer:
        """Send a request, and return the answer when its headers have come.

        Args:
            method: Of HTTP.
            path: Below the server's own, escaped.
            query: Parameters.
            headers: Beside those that every request has.
            body: What is sent.
            read_timeout: Seconds without a byte of the answer after which it is given up.

        Raises:
            OSError, http.client.HTTPException: There is no connection, or it broke.
        """
        target = self._server.path.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
        sent = {"User-Agent": "mlctl", **headers}
        if proof := self.access.authorization():
            sent["Authorization"] = proof
        while True:
            try:
                connection, fresh = self._kept.pop(), False
            except IndexError:
                connection, fresh = self._connect(), True
            try:
                connection.sock.settimeout(read_timeout)
                connection.request(method, target, body, sent)
                return Answer(connection, connection.getresponse(), self._kept)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if fresh or isinstance(error, TimeoutError):
                    raise
                # The server has closed a connection that was idle; all that is asked of it may be repeated.
            except BaseException:
                connection.close()
                raise

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._server.hostname or "", self._server.port or (443 if self.access.tls else 80)
        proxy = urlsplit(self._proxy)
        near, near_port = (proxy.hostname, proxy.port or 80) if proxy.hostname else (host, port)
        connection = http.client.HTTPConnection(near, near_port, timeout=CONNECT_TIMEOUT)
        try:
            if proxy.hostname:
                connection.set_tunnel(host, port, _proof(proxy.username, proxy.password))
            connection.connect()
            if self.access.tls:
                name = self.access.server_name or host
                connection.sock = self.access.tls.wrap_socket(connection.sock, server_hostname=name)
        except BaseException:
            connection.close()
            raise
        return connection

    @functools.cached_property
    def _proxy(self) -> str:
        if self.access.proxy or not self.access.tls:
            return self.access.proxy
        if not any(os.environ.get(name) or os.environ.get(name.upper()) for name in _PROXIES):
            return ""
        from urllib.request import getproxies, proxy_bypass

        found = getproxies()
        host = self._server.hostname or ""
        return "" if proxy_bypass(host) else found.get("https") or found.get("all") or ""


def _proof(user: str | None, password: str | None) -> dict[str, str]:
    if not user:
        return {}
    from base64 import b64encode

    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {b64encode(pair).decode()}"}
