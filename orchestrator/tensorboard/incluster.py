"""TensorBoard as a pod of the cluster: nothing but its page comes to this machine, through the API server."""

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.board import EVENTS, PORT_NAME, PULL, board_manifest, board_service
from orchestrator.backends.kubernetes.cluster import JOBS, PODS
from orchestrator.backends.kubernetes.names import MAIN
from orchestrator.backends.kubernetes.pending import of_pod
from orchestrator.backends.kubernetes.service import JOB_LABEL
from orchestrator.backends.kubernetes.site import site_and_secret, user_keys
from orchestrator.backends.kubernetes.submit import SECRETS, SERVICES
from orchestrator.config import Context
from orchestrator.engines import get_engine
from orchestrator.errors import ClusterError, MlctlError, UsageError
from orchestrator.jobs.jobs import Jobs
from orchestrator.ports import HERE
from orchestrator.progress import Reporter
from orchestrator.runtime.pod.board import Shown
from orchestrator.tensorboard.board import require_events
from orchestrator.tensorboard.server import choose_port

ENGINE = "tensorflow-2"  # whose image has TensorBoard
POLL = 0.5  # seconds
CHECK = 10.0  # seconds between two looks whether it still runs
_PASSED = ("Content-Type", "Cache-Control")  # headers of an answer


class EndedError(MlctlError):
    """TensorBoard's pod has ended by itself."""


class ClusterBoard:
    """An open TensorBoard in a cluster.

    Args:
        api: The cluster.
        name: Of Job and Service.
        port: Of this machine.

    Attributes:
        url: Where a browser finds it.
    """

    def __init__(self, api: Api, name: str, port: int) -> None:
        self.url = f"http://{HERE}:{port}/"
        self._api = api
        self._name = name

    def await_start(self, reporter: Reporter) -> None:
        """Return when it answers.

        Raises:
            MlctlError: It does not.
        """
        deadline, told = time.monotonic() + PULL, ""
        while time.monotonic() < deadline:
            pod = self._pod()
            if pod and pods.holds(pod, "Ready"):
                return
            why = of_pod(pod, (), None).message if pod else ""
            if why and why != told:
                told = why
                reporter.note(f"its pod: {why}")
            time.sleep(POLL)
        raise MlctlError(f"TensorBoard does not answer after {PULL} s: {told}", hint=f"kubectl logs job/{self._name}")

    def serve(self, seconds: float) -> None:
        """Return after so many seconds.

        Raises:
            EndedError: TensorBoard has ended by itself.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            with suppress(ClusterError):  # the cluster may be away for a while
                if self._pod() is None:
                    break
            time.sleep(min(left, CHECK))
        else:
            return
        raise EndedError("TensorBoard's pod is gone", hint="run the same command again")

    def _pod(self) -> dict[str, Any] | None:
        """Return the pod, None if there is none yet; raise EndedError if it has ended."""
        found = self._api.list(self._api.path(PODS), labelSelector=f"{JOB_LABEL}={self._name}")
        for name in (MAIN, EVENTS):
            ended = pods.ended(found[0], name) if found else None
            if ended and pods.phase(found[0]) in ("Failed", "Succeeded"):
                raise EndedError(f"TensorBoard has ended: {name} with {ended.code} ({ended.reason}) {ended.message}")
        return found[0] if found else None


@contextmanager
def open_cluster_board(
    jobs: Jobs,
    name: str,
    versions: Sequence[str],
    *,
    port: int | None,
    seconds: float,
    context: Context,
    reporter: Reporter,
) -> Iterator[ClusterBoard]:
    """Start TensorBoard in the context's cluster, and remove it when the context manager is left.

    Args:
        jobs: Of a store.
        name: Of the job.
        versions: Each becomes a run of that name, as in `V0003`.
        port: Of this machine, as in `choose_port`.
        seconds: After which the cluster ends it, if this process cannot.
        context: With the cluster.
        reporter: Told of what takes time.

    Raises:
        UsageError: The context has no cluster.
        NotFoundError: There is no such version, or one that has ended has no events.
        MlctlError: The cluster refuses it, or it does not start.
    """
    if context.backend != "kubernetes":
        message = f"context {context.name} has no cluster, so TensorBoard runs on this machine"
        raise UsageError(message, hint="leave out --in-cluster, or name a context with a cluster: --context NAME")
    views = {view.version: view for view in (jobs.get(name, version) for version in versions)}
    shown = []
    for view in views.values():
        require_events(jobs, view, context.name, reporter)
        task = view.record.task
        assert task is not None
        shown.append(Shown(view.version, task.output_store, task.output_prefix))
    api, port = Api(context), choose_port(port)
    site, secret = site_and_secret(context, user_keys(context)())
    if secret is not None:
        api.apply(api.path(SECRETS, pods.name_of(secret)), secret)
    title, image = f"{name} {', '.join(views)}", get_engine(ENGINE).images.cpu
    own = f"mlctl-board-{secrets.token_hex(4)}"
    try:
        manifest = board_manifest(own, site, image=image, shown=shown, title=title, seconds=int(seconds))
        job = api.create(api.path(JOBS), manifest)
        api.create(api.path(SERVICES), board_service(own, site, owner=job["metadata"]["uid"]))
        reporter.note(f"TensorBoard is Job {own} in {api.place}, namespace {api.namespace}")
        board = ClusterBoard(api, own, port)
        board.await_start(reporter)
        with _door(api, own, port):
            yield board
    finally:
        with suppress(MlctlError):  # it goes by itself after a while
            api.delete(api.path(JOBS, own))


@contextmanager
def _door(api: Api, name: str, port: int) -> Iterator[None]:
    """Serve on this machine what the pod answers, as long as the context is open."""
    server = ThreadingHTTPServer((HERE, port), _handler(api, name))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _handler(api: Api, name: str) -> type[BaseHTTPRequestHandler]:
    """Return what hands requests on to a Service."""
    prefix = api.path(SERVICES, f"{name}:{PORT_NAME}", part="proxy")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._hand_on()

        def do_POST(self) -> None:
            self._hand_on()

        def _hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept = {key: value for key in ("Content-Type", "Accept") if (value := self.headers.get(key))}
            try:
                # The API server writes its own path into the links of a page.
                answer = api.proxy(self.command, f"{prefix}/{self.path.removeprefix(prefix).lstrip('/')}", body, kept)
            except MlctlError as error:
                self.send_error(502, error.message.replace("\n", " "))
                return
            self.send_response(answer.status)
            for header in _PASSED:
                if header in answer.headers:
                    self.send_header(header, answer.headers[header])
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
