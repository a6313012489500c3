"""`services/proxy`: what is asked of a Service through the API server, which one of its ready pods answers."""

import http.client
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.kubernetes.standin.request import Request
from tests.kubernetes.standin.resources import PODS, SERVICES, Object
from tests.kubernetes.standin.status import ApiError
from tests.kubernetes.standin.store import Store

if TYPE_CHECKING:
    from tests.kubernetes.standin.connection import Connection

TIMEOUT = 60.0  # seconds
_OWN = {"authorization", "host", "connection", "content-length", "transfer-encoding", "accept-encoding"}


class Proxy:
    """Hands requests on."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, request: Request, connection: "Connection", body: Any) -> None:
        """Hand a request on, and the answer back."""
        name, _, port = request.name.removeprefix("http:").partition(":")
        service = self._store.get(SERVICES, request.namespace, name).value
        host, number = self._endpoint(service, port)
        headers = {key: value for key, value in connection.headers.items() if key.lower() not in _OWN}
        query = urlsplit(connection.path).query
        asked = http.client.HTTPConnection(host, number, timeout=TIMEOUT)
        try:
            asked.request(connection.command, f"/{request.rest}{'?' if query else ''}{query}", body or None, headers)
            answer = asked.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            message = f"error trying to reach service: dial tcp {host}:{number}: {error}"
            raise ApiError(503, "ServiceUnavailable", message) from error
        finally:
            asked.close()
        kept = {key: value for key, value in answer.getheaders() if key.lower() not in {*_OWN, "content-type", "date"}}
        connection.send_whole(data, answer.status, kept, answer.getheader("Content-Type") or "text/plain")

    def _endpoint(self, service: Object, port: str) -> tuple[str, int]:
        """Choose a ready pod of a Service."""
        spec, metadata = service["spec"], service["metadata"]
        (target,) = [one.get("targetPort", one["port"]) for one in spec["ports"] if not port or port == one.get("name")]
        found = []
        for entry in self._store.entries(PODS, metadata["namespace"]):
            pod = entry.value
            labels = pod["metadata"].get("labels") or {}
            conditions = {item["type"]: item["status"] for item in pod["status"].get("conditions") or []}
            if (
                conditions.get("Ready") == "True"
                and "deletionTimestamp" not in pod["metadata"]
                and all(labels.get(key) == value for key, value in spec["selector"].items())
            ):
                found.append(pod)
        if not found:
            raise ApiError(503, "ServiceUnavailable", f'no endpoints available for service "{metadata["name"]}"')
        pod = random.choice(found)
        numbers = {
            one.get("name"): one["containerPort"] for each in pod["spec"]["containers"] for one in each.get("ports", [])
        }
        return pod["status"]["podIP"], numbers.get(target, target)
