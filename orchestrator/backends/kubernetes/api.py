"""The Kubernetes API in plain dicts: thin, and patient with a busy server."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Generator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from orchestrator.backends.kubernetes.refusals import TroubleError, UnknownKindError, is_status, refusal
from orchestrator.config import Context
from orchestrator.errors import ClusterError, MlctlError, NotFoundError

if TYPE_CHECKING:
    from http.client import HTTPMessage

    from orchestrator.backends.kubernetes.wire import Answer, Wire

Json = dict[str, Any]
Result = TypeVar("Result")

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


class Reply(NamedTuple):
    """What a Service answers.

    Attributes:
        status: Of HTTP.
        headers: Of it; capital letters do not matter.
        data: Its body.
    """

    status: int
    headers: "HTTPMessage"
    data: bytes


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
        self._connected: Wire | None = None
        self._answered = False

    @property
    def place(self) -> str:
        """Return the cluster in words."""
        return f"cluster {self._context.kube_context or self.host}"

    @property
    def host(self) -> str:
        """Return the API server's address."""
        return self._wire.access.host

    def prepare(self) -> None:
        """Find out in a thread how the cluster is reached, while others wait for the store."""
        threading.Thread(target=self._prepare, name="kubeconfig", daemon=True).start()

    def _prepare(self) -> None:
        with contextlib.suppress(MlctlError):  # whoever needs it will be told
            _ = self._wire

    def path(self, kind: str, name: str = "", *, part: str = "") -> str:
        """Return the path of a namespaced collection or object, as of `batch/v1/jobs` or `v1/pods`."""
        group, _, plural = kind.rpartition("/")
        root = f"/api/{group}" if "/" not in group else f"/apis/{group}"
        return "/".join(filter(None, (root, "namespaces", self.namespace, plural, name, part)))

    def get(self, path: str, **query: str) -> Json:
        """Return an object."""
        return self._retried(lambda: self._call("GET", path, query))

    def read(self, path: str, decoder: "msgspec.json.Decoder[Result]", **query: str) -> Result:
        """Return as much of an object or list as the decoder looks at."""
        return self._retried(lambda: self._guarded(lambda: decoder.decode(self._body("GET", path, query))))

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
        query = {"fieldValidation": "Strict"} | _rehearsal(rehearse)
        return self._retried(lambda: self._call("POST", path, query, body))

    def apply(self, path: str, body: Json, *, rehearse: bool = False) -> Json:
        """Create an object or bring it to this form (server-side apply).

        Args:
            path: Of the object.
            body: The object.
            rehearse: Only find out whether it would be taken.
        """
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict"} | _rehearsal(rehearse)
        headers = {"Content-Type": "application/apply-patch+yaml"}
        return self._retried(lambda: self._call("PATCH", path, query, body, headers))

    def delete(self, path: str, *, propagation: str = "Background") -> bool:
        """Delete an object and what belongs to it; tell whether there was one."""
        try:
            self._retried(lambda: self._call("DELETE", path, {"propagationPolicy": propagation}))
        except (NotFoundError, UnknownKindError):
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
        answer = self._guarded(lambda: self._ask("GET", path, query, {"Accept": "*/*"}, read_timeout=read_timeout))
        with contextlib.closing(answer):
            yield b""
            # read1 returns what is there; `read` would wait for a whole block.
            while block := self._guarded(lambda: answer.read1(BLOCK)):
                yield block

    def proxy(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Return what a Service answers through the API server, whatever its status; it is asked once.

        Raises:
            MlctlError: Nobody stands behind it, or the API server itself refuses.
        """

        def call() -> Reply:
            answer = self._wire.ask(method, path, {}, headers, body or None, read_timeout=PROXY_TIMEOUT)
            with contextlib.closing(answer):
                return Reply(answer.status, answer.headers, answer.read())

        reply = self._guarded(call)
        if reply.status >= HTTPStatus.BAD_REQUEST and is_status(reply.data):
            raise refusal(reply.status, reply.data.decode(errors="replace"), self.place)
        return reply

    @property
    def _wire(self) -> "Wire":
        with self._lock:
            if self._connected is None:
                from orchestrator.backends.kubernetes.kubeconfig import connect
                from orchestrator.backends.kubernetes.wire import Wire

                self._connected = Wire(connect(self._context))
            return self._connected

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        data = None if body is None else msgspec.json.encode(body)

        def call() -> Json:
            found: Json = msgspec.json.decode(self._body(method, path, query, data, headers))
            return found

        return self._guarded(call)

    def _body(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        sent = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
        with contextlib.closing(self._ask(method, path, query, sent, data)) as answer:
            return answer.read()

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        read_timeout: float = READ_TIMEOUT,
    ) -> "Answer":
        """Return an answer that is none of errors."""
        answer = self._wire.ask(method, path, query, headers, body, read_timeout=read_timeout)
        if answer.status < 300:
            return answer
        with contextlib.closing(answer):
            self._answered = True
            told = answer.read().decode(errors="replace")
            raise refusal(answer.status, told, self.place, after=answer.headers.get("Retry-After", ""))

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
        _ = self._wire  # of a kubeconfig that cannot be read that is told
        from http.client import HTTPException

        try:
            result = call()
        except (OSError, HTTPException) as error:
            raise self._broken(error) from error
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ClusterError(f"{self.place} answers something strange: {error}", hint=_HINT) from error
        self._answered = True
        return result

    def _broken(self, error: Exception) -> TroubleError:
        """Return the error for a connection that could not be made, or broke."""
        text = str(error) or type(error).__name__
        name = f"--context {self._context.kube_context} " if self._context.kube_context else ""
        hint = f"does this work? kubectl {name}get --raw /version"
        passing = not any(sign in text for sign in _FINAL)
        return TroubleError(f"{self.place} cannot be reached: {text}", hint=hint, passing=passing)


def _rehearsal(wanted: bool) -> dict[str, str]:
    return {"dryRun": "All"} if wanted else {}
