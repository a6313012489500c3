"""What tests make go wrong between the client and the API server, and what they are told of the calls."""

import threading
from collections import Counter

import msgspec

from tests.kubernetes.standin.request import Request
from tests.kubernetes.standin.status import ApiError, forbidden, standard

USER = "system:serviceaccount:default:tester"


class Failure(msgspec.Struct, kw_only=True):
    """An answer to give instead of the real one.

    Attributes:
        verb: As in a Role; `*` is any.
        resource: Such as `pods` or `pods/log`; `*` is any.
        error: To answer with.
        times: How often still.
        after: Whether the request is carried out first, so that only the answer is lost.
        delay: Seconds to wait before anything.
    """

    verb: str
    resource: str
    error: ApiError | None
    times: int
    after: bool = False
    delay: float = 0.0

    def fits(self, request: Request) -> bool:
        """Say whether it is about a request."""
        return self.verb in {"*", request.verb} and self.resource in {"*", request.role_resource}


class Cut(msgspec.Struct):
    """A connection to be broken.

    Attributes:
        resource: Such as `pods/log`.
        verb: As in a Role.
        size: After so many bytes of the body.
        clean: Whether the body is ended as if it were complete, as it looks when the kubelet, not the API server, went.
    """

    resource: str
    verb: str
    size: int
    clean: bool


class Faults:
    """The faults asked for.

    Attributes:
        calls: How often each verb was asked of each resource, such as `("list", "pods")`.
        denied: Pairs of verb and resource that RBAC does not allow.
    """

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.denied: set[tuple[str, str]] = set()
        self._failures: list[Failure] = []
        self._cuts: list[Cut] = []
        self._lock = threading.Lock()

    def count(self, request: Request) -> None:
        """Note a call."""
        with self._lock:
            self.calls[request.verb, request.role_resource] += 1

    def fail_next(
        self,
        verb: str,
        resource: str,
        status: int | ApiError | None,
        *,
        times: int = 1,
        message: str = "",
        retry_after: int | None = 1,
        after: bool = False,
        delay: float = 0.0,
    ) -> None:
        """Answer the next requests of a kind with an error.

        Args:
            verb: As in a Role; `*` is any.
            resource: Such as `pods` or `pods/log`; `*` is any.
            status: Code, or the whole error; None answers as usual (after the delay).
            times: How many requests.
            message: Other words than the usual ones.
            retry_after: Seconds told with 429 and 503.
            after: Carry the request out all the same.
            delay: Seconds to wait first.
        """
        error = standard(status, message, retry_after) if isinstance(status, int) else status
        with self._lock:
            self._failures.append(
                Failure(verb=verb, resource=resource, error=error, times=times, after=after, delay=delay)
            )

    def deny(self, verb: str, resource: str) -> None:
        """Let RBAC refuse a verb (`*`: all) on a resource such as `pods/log` from now on."""
        self.denied.add((verb, resource))

    def allow(self, verb: str, resource: str) -> None:
        """Take a refusal back."""
        self.denied.discard((verb, resource))

    def is_denied(self, verb: str, resource: str) -> bool:
        """Say whether RBAC refuses."""
        return bool({(verb, resource), ("*", resource), (verb, "*"), ("*", "*")} & self.denied)

    def check_access(self, request: Request) -> None:
        """Refuse what RBAC does.

        Raises:
            ApiError: 403.
        """
        if self.is_denied(request.verb, request.role_resource):
            where = f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
            why = (
                f'User "{USER}" cannot {request.verb} resource "{request.role_resource}" in API group '
                f'"{request.resource.group}" {where}'
            )
            raise forbidden(request.resource, request.name, why)

    def take_failure(self, request: Request) -> Failure | None:
        """Give the failure that a request is to suffer, if any."""
        with self._lock:
            found = next((failure for failure in self._failures if failure.fits(request)), None)
            if found:
                found.times -= 1
                if not found.times:
                    self._failures.remove(found)
            return found

    def cut_next(self, resource: str, size: int, *, verb: str = "get", clean: bool = False) -> None:
        """Break the next connection of a kind after some bytes of the answer's body."""
        with self._lock:
            self._cuts.append(Cut(resource, verb, size, clean))

    def take_cut(self, request: Request) -> Cut | None:
        """Give the cut that a request is to suffer, if any."""
        with self._lock:
            for cut in self._cuts:
                if cut.resource in {"*", request.role_resource} and cut.verb in {"*", request.verb}:
                    self._cuts.remove(cut)
                    return cut
        return None
