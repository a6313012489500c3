"""`pods/log`: logs as the kubelet serves them through the API server."""

from typing import TYPE_CHECKING, Any

from tests.kubernetes.standin.defaults import now, seconds
from tests.kubernetes.standin.kubelet import Kubelets
from tests.kubernetes.standin.podlog import Tail
from tests.kubernetes.standin.request import Request
from tests.kubernetes.standin.resources import NODES, PODS, Object
from tests.kubernetes.standin.status import ApiError, bad_request, not_found
from tests.kubernetes.standin.store import Store

if TYPE_CHECKING:
    from tests.kubernetes.standin.connection import Connection


class Logs:
    """Serves logs."""

    def __init__(self, store: Store, kubelets: Kubelets) -> None:
        self._store = store
        self._kubelets = kubelets

    def __call__(self, request: Request, connection: "Connection", body: Any) -> None:
        """Answer a request for a log."""
        pod = self._store.get(PODS, request.namespace, request.name).value
        name = chosen_container(pod, request.query.get("container", ""))
        wanted = _tail(request)
        node_name = pod["spec"].get("nodeName")
        if not node_name:
            connection.send_whole(b"", kind="text/plain")
            return
        node = self._kubelets.nodes.get(node_name)
        if node is None or self._store.find(NODES, "", node_name) is None:
            raise not_found(NODES, node_name)
        if not node.online.is_set():
            where = f"https://{node.address}:10250/containerLogs/{request.namespace}/{request.name}/{name}"
            raise ApiError(
                500, "InternalError", f'Get "{where}": dial tcp {node.address}:10250: connect: connection refused'
            )
        running = node.find(pod["metadata"]["uid"])
        container = running.container(name) if running else None
        previous = request.flag("previous")
        log = container and (container.previous if previous else container.log)
        if previous and not log:
            raise bad_request(f'previous terminated container "{name}" in pod "{request.name}" not found')
        if not log:
            raise bad_request(f'container "{name}" in pod "{request.name}" is waiting to start: {_waits(pod, name)}')
        connection.start_stream("text/plain")
        gone = connection.watch_for_close()
        log_gone = connection.server.closing
        for piece in log.read(wanted, gone):
            connection.send_chunk(piece)
            if log_gone.is_set():
                break
        connection.end_stream()


def chosen_container(pod: Object, asked: str) -> str:
    """Say which container of a pod is meant.

    Raises:
        ApiError: 400, there is no such one, or none is named and there are several.
    """
    names = [item["name"] for item in pod["spec"]["containers"]]
    init = [item["name"] for item in pod["spec"].get("initContainers") or []]
    if asked:
        if asked not in names + init:
            raise bad_request(f"container {asked} is not valid for pod {pod['metadata']['name']}")
        return asked
    if len(names) == 1:
        return str(names[0])
    listed = " ".join(names)
    told = f"a container name must be specified for pod {pod['metadata']['name']}, choose one of: [{listed}]"
    raise bad_request(told + (f" or one of the init containers: [{' '.join(init)}]" if init else ""))


def _waits(pod: Object, name: str) -> str:
    status = pod["status"]
    for item in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        if item["name"] == name:
            return str(item["state"].get("waiting", {}).get("reason", "ContainerCreating"))
    return "ContainerCreating"


def _tail(request: Request) -> Tail:
    query = request.query
    since = None
    if "sinceTime" in query:
        try:
            since = float(int(seconds(query["sinceTime"])))  # the API server hands it to the kubelet in whole seconds
        except ValueError as error:
            raise bad_request(f"parsing time {query['sinceTime']!r}: cannot parse") from error
    elif "sinceSeconds" in query:
        since = seconds(now()) - int(query["sinceSeconds"])
    return Tail(
        follow=request.flag("follow"),
        lines=int(query["tailLines"]) if "tailLines" in query else None,
        since=since,
        timestamps=request.flag("timestamps"),
        size=int(query["limitBytes"]) if "limitBytes" in query else None,
    )
