"""The Kubernetes API in plain dicts, over the official client: thin, and patient with a busy server."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Generator, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from orchestrator.backends.kubernetes.kubeconfig import connect, host_of
from orchestrator.backends.kubernetes.refusals import TroubleError, is_status, refusal
from orchestrator.config import Context
from orchestrator.errors import ClusterError, MlctlError, NotFoundError

Json = dict[str, Any]
Result = TypeVar("Result")

CONNECT_TIMEOUT = 4.0  # seconds
READ_TIMEOUT = 30.0  # seconds without a byte of an answer
PROXY_TIMEOUT = 60.0  # seconds for the answer of a Service
PATIENCE = 20.0  # seconds that one call may take with all its attempts, once the server has answered
FIRST_CONTACT = 5.0  # seconds; who does not answer at all at first is probably not there
FIRST_PAUSE = 0.2  # seconds between two attempts; doubled each time, of which a random part is waited
LONGEST_PAUSE = 5.0  # seconds
MANAGER = "mlctl"  # owner of the fields that are applied
BLOCK = 1 << 16  # bytes of a stream that are read at once
_HINT = "is this the address of a Kubernetes API server? kubectl cluster-info"
_FINAL = ("CERTIFICATE_VERIFY_FAILED", "Name or service not known", "nodename nor servname", "WRONG_VERSION_NUMBER")


class Api:
    """One namespace of one cluster.

    Every call may raise ClusterError (unreachable, or broken), PermissionDeniedError, NotFoundError, or
    PreflightError where the cluster's rules refuse an object.

    Args:
        context: Names the cluster and the namespace.
        patience: Seconds that one call may take with all its attempts.

    Attributes:
        namespace: All namespaced calls are for this one.
    """

    def __init__(self, context: Context, *, patience: float = PATIENCE) -> None:
        self.namespace = context.namespace or "default"
        self._context = context
        self._patience = patience
        self._lock = threading.Lock()
        self._connected: Any = None
        self._answered = False

    @property
    def place(self) -> str:
        """Return the cluster in words."""
        return f"cluster {self._context.kube_context or host_of(self._client)}"

    @property
    def host(self) -> str:
        """Return the API server's address."""
        return host_of(self._client)

    def prepare(self) -> None:
        """Load the client in a thread: it takes half a second, in which others wait for the store."""
        threading.Thread(target=self._prepare, name="kubernetes client", daemon=True).start()

    def _prepare(self) -> None:
        with contextlib.suppress(MlctlError):  # whoever needs it will be told
            _ = self._client

    def path(self, kind: str, name: str = "", *, part: str = "") -> str:
        """Return the path of a namespaced collection or object, as of `batch/v1/jobs` or `v1/pods`."""
        group, _, plural = kind.rpartition("/")
        root = f"/api/{group}" if "/" not in group else f"/apis/{group}"
        return "/".join(filter(None, (root, "namespaces", self.namespace, plural, name, part)))

    def get(self, path: str, **query: str) -> Json:
        """Return an object."""
        return self._retried(lambda: self._call("GET", path, query))

    def find(self, path: str) -> Json | None:
        """Return an object, or None if there is none."""
        try:
            return self.get(path)
        except NotFoundError:
            return None

    def list(self, path: str, **query: str) -> list[Json]:
        """Return the items of a collection."""
        items: list[Json] = self.get(path, **query).get("items") or []
        return items

    def create(self, path: str, body: Json, *, rehearse: bool = False) -> Json:
        """Create an object.

        Args:
            path: Of the collection.
            body: The object.
            rehearse: Only find out whether it would be taken.

        Raises:
            ExistsError: One of that name exists; after a lost answer it may be this very one.
        """
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if rehearse else {})
        return self._retried(lambda: self._call("POST", path, query, body))

    def apply(self, path: str, body: Json) -> Json:
        """Create an object or bring it to this form (server-side apply)."""
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict"}
        headers = {"Content-Type": "application/apply-patch+yaml"}
        return self._retried(lambda: self._call("PATCH", path, query, body, headers))

    def delete(self, path: str, *, propagation: str = "Background") -> bool:
        """Delete an object and what belongs to it; tell whether there was one."""
        try:
            self._retried(lambda: self._call("DELETE", path, {"propagationPolicy": propagation}))
        except NotFoundError:
            return False
        return True

    def stream(self, path: str, *, read_timeout: float, **query: str) -> Generator[bytes]:
        """Yield what a call that does not end sends, as it comes; first an empty block, when it is answered.

        Args:
            path: Of the object.
            read_timeout: Seconds without a byte after which it is given up.
            query: What is asked for.

        Raises:
            ClusterError: The connection broke, or nothing came for so long.
        """
        answer = self._guarded(lambda: self._raw("GET", path, query, read_timeout))
        with contextlib.closing(answer):
            yield b""
            # read1 returns what is there; `stream` of a chunked answer would wait for a whole block.
            while block := self._guarded(lambda: answer.read1(BLOCK)):
                yield block

    def proxy(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Any:
        """Return what a Service answers through the API server, whatever its status; it is asked once.

        Raises:
            MlctlError: Nobody stands behind it, or the API server itself refuses.
        """
        client = self._client
        own: dict[str, str] = dict(headers)
        client.update_params_for_auth(own, [], ["BearerToken"])
        pool = client.rest_client.pool_manager
        url = f"{client.configuration.host}{path}"
        answer = self._guarded(
            lambda: pool.request(method, url, body=body or None, headers=own, timeout=PROXY_TIMEOUT, retries=False)
        )
        if answer.status >= HTTPStatus.BAD_REQUEST and is_status(answer.data):
            raise refusal(answer.status, answer.data.decode(errors="replace"), self.place)
        return answer

    @property
    def _client(self) -> Any:
        with self._lock:
            if self._connected is None:
                self._connected = connect(self._context)
            return self._connected

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        answer: Json = self._guarded(
            lambda: self._client.call_api(
                path,
                method,
                query_params=list(query.items()),
                header_params={"Accept": "application/json", "Content-Type": "application/json", **(headers or {})},
                body=body,
                response_type="object",
                auth_settings=["BearerToken"],
                _return_http_data_only=True,
                _request_timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            )
        )
        return answer

    def _raw(self, method: str, path: str, query: Mapping[str, str], read_timeout: float) -> Any:
        return self._client.call_api(
            path,
            method,
            query_params=list(query.items()),
            header_params={"Accept": "*/*"},
            auth_settings=["BearerToken"],
            _preload_content=False,
            _return_http_data_only=True,
            _request_timeout=(CONNECT_TIMEOUT, read_timeout),
        )

    def _retried(self, call: Callable[[], Result]) -> Result:
        """Return what the call returns; try again while the server is busy or the connection breaks."""
        begun = time.monotonic()
        pause = FIRST_PAUSE
        while True:
            try:
                return call()
            except TroubleError as error:
                wait = error.after or random.uniform(0, pause)
                patience = self._patience if self._answered else min(self._patience, FIRST_CONTACT)
                if not error.passing or time.monotonic() - begun + wait >= patience:
                    raise
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _guarded(self, call: Callable[[], Result]) -> Result:
        """Return what the call returns, and raise what it raises as ours."""
        _ = self._client  # loads what follows, as lightly as it can be
        from kubernetes.client.exceptions import ApiException, OpenApiException
        from urllib3.exceptions import HTTPError

        try:
            result = call()
        except ApiException as error:
            self._answered |= bool(error.status)
            raise self._refusal(error) from error
        except (HTTPError, OSError) as error:
            raise self._broken(error) from error
        except (OpenApiException, ValueError) as error:
            raise ClusterError(f"{self.place} answers something strange: {error}", hint=_HINT) from error
        self._answered = True
        return result

    def _refusal(self, error: Any) -> MlctlError:
        if not error.status:  # the client's way to say that TLS failed
            return self._broken(error.reason)
        body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or "")
        return refusal(error.status, body, self.place, after=str((error.headers or {}).get("Retry-After", "")))

    def _broken(self, error: object) -> TroubleError:
        """Return the error for a connection that could not be made, or broke."""
        text = str(getattr(error, "reason", error))
        text = text.partition("object at 0x")[2].partition(">: ")[2] or text
        name = f"--context {self._context.kube_context} " if self._context.kube_context else ""
        hint = f"does this work? kubectl {name}get --raw /version"
        passing = not any(sign in text for sign in _FINAL)
        return TroubleError(f"{self.place} cannot be reached: {text}", hint=hint, passing=passing)
